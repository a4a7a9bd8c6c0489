import type { Cache } from './ports.js';

/** The cache where none is configured: everything is a miss, and nothing is worked out for it. */
export const NO_CACHE: Cache = {
  on: false,
  get: async () => null,
  set: async () => false,
  update: async () => false,
  drop: async () => false,
  failure: () => null,
  connected: async () => false,
  describe: async () => null,
  close: async () => {},
};
