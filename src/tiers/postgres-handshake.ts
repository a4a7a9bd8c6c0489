import type { Socket } from 'node:net';

/** No message before the first ReadyForQuery is longer. */
const MESSAGE_BYTES = 64 * 1024;
const KINDS = new Set(['R', 'S', 'K', 'N', 'E', 'Z', 'v']);
const [SASL, SASL_CONTINUE, SASL_FINAL] = [10, 11, 12];

/**
 * Lets postgres.js hear of a handshake only what can be one. It takes the server's part of a login apart where nobody
 * catches what is thrown: a garbled one would end the process. Unencrypted sockets only.
 * Source: the Postgres manual, Message Formats; RFC 5802, section 7.
 */
export function guardHandshake(socket: Socket): Socket {
  const on = socket.on.bind(socket);
  const guard = (listener: (chunk: Buffer) => void) => {
    const check = createCheck();
    const wrapped = (chunk: Buffer) => {
      const sound = check(chunk);
      if (sound === null) socket.destroy(Object.assign(new Error('this is no Postgres'), { code: 'PROTOCOL' }));
      else if (sound.length > 0) listener(sound);
    };
    // By this EventEmitter finds it when the listener itself is to be removed.
    return Object.assign(wrapped, { listener });
  };
  const guarded = (event: string, listener: (...values: never[]) => void) =>
    on(event, event === 'data' ? guard(listener as (chunk: Buffer) => void) : (listener as () => void));
  return Object.assign(socket, { on: guarded }) as Socket;
}

/** Gives of each chunk what is whole and sound; null where it is not Postgres that speaks. */
function createCheck(): (chunk: Buffer) => Buffer | null {
  let held = Buffer.alloc(0);
  let step = 0;
  let done = false;
  return (chunk) => {
    if (done) return chunk;
    held = Buffer.concat([held, chunk]);
    let at = 0;
    while (!done && held.length - at >= 5) {
      const length = held.readUInt32BE(at + 1) + 1;
      const kind = String.fromCharCode(held[at] as number);
      if (!KINDS.has(kind) || length < 5 || length > MESSAGE_BYTES) return null;
      if (held.length - at < length) break;
      const message = held.subarray(at, at + length);
      if (kind === 'R') {
        const next = length < 9 ? -1 : message.readUInt32BE(5);
        if (!mayFollow(step, next, message)) return null;
        step = next;
      }
      done = kind === 'Z';
      at += length;
    }
    const sound = done ? held : held.subarray(0, at);
    held = done ? Buffer.alloc(0) : held.subarray(at);
    return sound;
  };
}

/** Whether one step of the login may follow another, and says what it must. */
function mayFollow(before: number, next: number, message: Buffer): boolean {
  if (next === SASL_FINAL) return before === SASL_CONTINUE;
  if (next !== SASL_CONTINUE) return next >= 0;
  return before === SASL && /^r=[^,]+,s=[A-Za-z0-9+/]+=*,i=\d{1,6}(,|$)/.test(message.toString('latin1', 9));
}
