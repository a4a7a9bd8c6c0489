import { channel } from 'node:diagnostics_channel';

const points = channel('strata-memory:point');

/**
 * Names a step of a save, a sync or the embedding on the `strata-memory:point` diagnostics channel. Costs nothing without a
 * subscriber; the crash tests subscribe and kill the process there.
 */
export function reach(point: Point): void {
  if (points.hasSubscribers) points.publish(point);
}

export const POINTS = [
  'save:before-doubt',
  'save:after-doubt',
  'save:before-objects',
  'save:before-ref',
  'save:after-commit',
  'save:before-apply',
  'save:inside-apply',
  'save:after-apply',
  'save:before-cache',
  'save:after-cache',
  'outbox:after-keep',
  'outbox:before-send',
  'outbox:after-send',
  'outbox:before-settle',
  'sync:after-head',
  'sync:after-list',
  'sync:after-stage',
  'sync:before-apply',
  'sync:inside-apply',
  'sync:after-apply',
  'embed:after-keep',
] as const;

export type Point = (typeof POINTS)[number];
