import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { type Answer, type Asked, bytes, refusal } from './answer.js';

/**
 * What goes wrong:
 * - status: this answer in the place of the real one; nothing is done
 * - delay: the real answer, later
 * - drop-before: the socket is closed, nothing is done
 * - drop-after: everything is done, then the socket is closed without an answer
 * - half: everything is done, half of the answer's body is sent, then the socket is closed
 * - garbage: 200 with a page of HTML; nothing is done
 * - hang: no answer, ever; nothing is done
 */
export type FaultKind =
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: unknown }
  | { kind: 'delay'; ms: number }
  | { kind: 'drop-before' | 'drop-after' | 'half' | 'garbage' | 'hang' };
/** `match` left out is every request; `times` left out is until `clearFaults`. */
export type Fault = FaultKind & { match?: (asked: Asked) => boolean; times?: number };

/** The secondary limit as GitHub words it. */
export function secondaryLimit(retryAfterSeconds: number): FaultKind {
  const message =
    'You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to GitHub Support for help, please include the request ID.';
  return { kind: 'status', status: 403, headers: { 'retry-after': String(retryAfterSeconds) }, body: { message } };
}

/** The primary limit as GitHub words it: nothing left until a time. */
export function primaryLimit(resetInSeconds: number): FaultKind {
  const reset = Math.floor(Date.now() / 1000) + resetInSeconds;
  const headers = { 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(reset) };
  return { kind: 'status', status: 403, headers, body: { message: 'API rate limit exceeded for user ID 1.' } };
}

export function createFaults() {
  let rules: (Fault & { left: number })[] = [];

  return {
    add(fault: Fault) {
      rules.push({ ...fault, left: fault.times ?? Number.POSITIVE_INFINITY });
    },
    clear() {
      rules = [];
    },
    /** The first rule that is about this request, counted down. */
    take(asked: Asked): FaultKind | undefined {
      const rule = rules.find(({ left, match }) => left > 0 && (match?.(asked) ?? true));
      if (rule) rule.left--;
      return rule;
    },
  };
}

/** The answer under a fault, or undefined where there is none and the socket was or stays as the fault wants it. */
export async function answerUnder(
  fault: FaultKind | undefined,
  response: ServerResponse,
  real: () => Promise<Answer>,
): Promise<Answer | undefined> {
  switch (fault?.kind) {
    case 'status': {
      const answer = refusal(fault.status, 'Server Error', fault.headers);
      if (fault.body === undefined) return answer;
      const text = typeof fault.body === 'string' || Buffer.isBuffer(fault.body);
      return { ...answer, body: Buffer.from(text ? (fault.body as string) : JSON.stringify(fault.body)) };
    }
    case 'delay':
      await wait(fault.ms);
      return real();
    case 'drop-before':
      response.destroy();
      return undefined;
    case 'drop-after':
      await real();
      response.destroy();
      return undefined;
    case 'half': {
      const { status, headers, body } = await real();
      response.writeHead(status, { ...headers, 'content-length': body.length });
      // The end of the socket waits for what is sent, or the client would see nothing at all.
      response.write(body.subarray(0, Math.ceil(body.length / 2)), () => response.destroy());
      return undefined;
    }
    case 'garbage':
      return bytes(200, 'text/html', '<html><body>Please sign in to this network</body></html>');
    case 'hang':
      return undefined;
    default:
      return real();
  }
}
