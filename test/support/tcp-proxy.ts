import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Socket } from 'node:net';

/** What is done with what the real server says. */
export type Manner =
  | { kind: 'honest' }
  /** Each chunk comes so much later, in ms. */
  | { kind: 'slow'; ms: number }
  /** Other bytes in the place of its own. */
  | { kind: 'garbage' }
  /** Half of the next chunk, then the connection is closed. */
  | { kind: 'truncated' };

const HONEST: Manner = { kind: 'honest' };

/** A stranger in between: hands bytes on both ways, as it is told, at an address that stays the same. */
export async function startTcpProxy(upstream: NetConnectOpts) {
  let manner = HONEST;
  const pairs = new Set<{ client: Socket; server: Socket }>();
  const listener = createServer((client) => {
    const server = connect(upstream);
    const pair = { client, server };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    client.on('data', (chunk) => server.write(chunk));
    server.on('data', (chunk) => answer(client, chunk, end));
  });

  function answer(client: Socket, chunk: Buffer, end: () => void): void {
    if (manner.kind === 'truncated') {
      client.write(chunk.subarray(0, Math.ceil(chunk.length / 2)), end);
      return;
    }
    const said = manner.kind === 'garbage' ? nonsense(chunk.length) : chunk;
    // Timers of the same length fire in the order in which they were set.
    if (manner.kind === 'slow') setTimeout(() => client.writable && client.write(said), manner.ms);
    else client.write(said);
  }

  async function listen(port: number): Promise<number> {
    listener.listen(port, '127.0.0.1');
    await once(listener, 'listening');
    return (listener.address() as AddressInfo).port;
  }
  /** Connections that are open are reset. */
  function cut(): void {
    for (const { client, server } of [...pairs]) {
      client.resetAndDestroy();
      server.destroy();
    }
  }
  const port = await listen(0);

  return {
    port,
    behave(wanted: Manner): void {
      manner = wanted;
    },
    cut,
    /** Nobody listens there any more, and those who are connected are cut off. */
    async refuse(): Promise<void> {
      if (!listener.listening) return;
      const closed = once(listener, 'close');
      listener.close();
      cut();
      await closed;
    },
    /** Listens again, and hands everything on as it is. */
    async restore(): Promise<void> {
      manner = HONEST;
      if (!listener.listening) await listen(port);
    },
    async close(): Promise<void> {
      await this.refuse();
    },
  };
}

export type TcpProxy = Awaited<ReturnType<typeof startTcpProxy>>;

/** The same in every run, and nothing that any protocol would say. */
function nonsense(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => (at * 37 + 11) % 256));
}
