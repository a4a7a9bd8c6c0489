import { setImmediate as turn } from 'node:timers/promises';
import type postgres from 'postgres';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Mirror } from '../../src/core/ports.js';
import { createPostgresMirror } from '../../src/tiers/mirror-postgres.js';
import { everybody, head, note, put } from '../support/mirror-contract.js';
import { BINARIES, startPostgres, startReplica } from '../support/private-postgres.js';

/** A primary with a replica, a mirror on both, and whether a snapshot is read from the replica. */
async function open() {
  const primary = await startPostgres();
  const replica = await startReplica(primary);
  const mirror = createPostgresMirror({ origin: '/repo', url: primary.url(), readUrl: replica.url() });
  onTestFinished(() => mirror.close());
  const [there, here] = [primary.connect(), replica.connect()];

  async function caughtUp(): Promise<void> {
    const [row] = await there`SELECT pg_current_wal_lsn()::text AS lsn`;
    for (;;) {
      const [done] = await here`SELECT pg_last_wal_replay_lsn() >= ${row?.lsn}::pg_lsn AS yes`;
      if (done?.yes) return;
      await turn();
    }
  }
  return { primary, replica, mirror, there, here, caughtUp };
}

/** What a snapshot answers, and which server answered it. */
async function answered(mirror: Mirror, there: postgres.Sql, here: postgres.Sql) {
  const busy = async (sql: postgres.Sql) => {
    const rows = await sql`
      SELECT 1 FROM pg_stat_activity
      WHERE application_name = 'strata-memory' AND state = 'idle in transaction' AND query LIKE '%FROM documents%'`;
    return rows.length > 0;
  };
  return mirror.snapshot(async (view) => {
    const paths = (await view.list(everybody(), {}, { limit: 10 })).map(({ path }) => path);
    const by = (await busy(here)) ? 'replica' : (await busy(there)) ? 'primary' : 'nobody';
    return { paths, by, state: await view.state() };
  });
}

describe.skipIf(BINARIES === null)('a replica', () => {
  test('is read from while it is at the primary’s generation; where the mirror stands is the primary’s word', async () => {
    const { mirror, there, here, caughtUp } = await open();
    await put(mirror, [note('a.md', 'zebra')]);
    await caughtUp();
    const first = await answered(mirror, there, here);
    expect(first).toMatchObject({ paths: ['a.md'], by: 'replica', state: { head: head('a') } });

    await here`SELECT pg_wal_replay_pause()`;
    await mirror.doubt([{ saveId: 'mine', deadlineMs: 1e15 }]);
    await mirror.confirm(head('a'), 77);
    // Of the same generation, so its documents are right; the doubt and the confirmation it has not heard of.
    expect(await answered(mirror, there, here)).toMatchObject({
      paths: ['a.md'],
      by: 'replica',
      state: { doubts: 1, confirmedAtMs: 77 },
    });

    await put(mirror, [note('b.md', 'yak')], { head: head('b') });
    expect(await answered(mirror, there, here)).toMatchObject({
      paths: ['b.md', 'a.md'],
      by: 'primary',
      state: { generation: first.state.generation + 1, head: head('b') },
    });
    await here`SELECT pg_wal_replay_resume()`;
    await caughtUp();
    expect(await answered(mirror, there, here)).toMatchObject({ paths: ['b.md', 'a.md'], by: 'replica' });
    expect(mirror.notices()).toEqual([]);
  });

  test('that dies or hangs costs a moment and is told of once; a dead primary is an error', async () => {
    const { primary, replica, mirror, there } = await open();
    await put(mirror, [note('a.md', 'zebra')]);
    replica.pause();
    const started = performance.now();
    const ask = () => mirror.snapshot((view) => view.count(everybody(), {}));
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1]);
    expect(performance.now() - started).toBeLessThan(4_000);
    await replica.stop('SIGQUIT');
    expect(await ask()).toBe(1);
    expect(mirror.notices()).toEqual([expect.stringMatching(/go to the primary.*did not answer/)]);
    await there.end({ timeout: 1 });
    await primary.stop('SIGQUIT');
    await expect(ask()).rejects.toMatchObject({
      code: 'mirror_unavailable',
      hint: expect.stringMatching(/DATABASE_URL/),
    });
  });
});
