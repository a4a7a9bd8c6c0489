import { describe, expect, onTestFinished, test } from 'vitest';
import type { Mirror } from '../../src/core/ports.js';
import { createPostgresMirror, type PostgresMirrorOptions } from '../../src/tiers/mirror-postgres.js';
import { everybody, mirrorContract, note, put } from '../support/mirror-contract.js';
import { createDatabase, POSTGRES } from '../support/postgres.js';

function opened(options: Partial<PostgresMirrorOptions> & { url: string }): Mirror {
  const mirror = createPostgresMirror({ origin: '/repo', ...options });
  onTestFinished(() => mirror.close());
  return mirror;
}

describe.skipIf(POSTGRES === null)('on a real server', () => {
  mirrorContract('Postgres', async () => {
    const { url } = await createDatabase();
    return { mirror: opened({ url }), again: () => opened({ url }) };
  });

  test('origins in one database do not see each other', async () => {
    const { url } = await createDatabase();
    const [one, two] = [opened({ url, origin: '/one' }), opened({ url, origin: '/two' })];
    await put(one, [note('a.md', 'zebra')]);
    expect(await two.snapshot((view) => view.state())).toMatchObject({ head: null, generation: 0 });
    await put(two, [note('a.md', 'zebra zebra')]);
    await two.doubt([{ saveId: 's', deadlineMs: 1e15 }]);
    await two.drop(['a.md']);
    await two.prune(false);
    await one.snapshot(async (view) => {
      expect(await view.count(everybody(), {})).toBe(1);
      expect(await view.search(everybody(), ['zebra'], {}, 5)).toHaveLength(1);
      expect(await view.state()).toMatchObject({ generation: 1, doubts: 0 });
    });
  });
});
