import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Mirror } from '../../src/core/ports.js';
import { createSqliteMirror } from '../../src/tiers/mirror-sqlite.js';
import { tempFolder } from '../support/home.js';
import { everybody, head, mirrorContract, note, put } from '../support/mirror-contract.js';
import { registryContract } from '../support/registry-contract.js';
import { hitsOf } from '../support/search.js';
import { upkeepContract } from '../support/upkeep-contract.js';
import { vectorsContract } from '../support/vectors-contract.js';

function opened(origin: string, path: string): Mirror {
  const mirror = createSqliteMirror({ origin, path });
  onTestFinished(() => mirror.close());
  return mirror;
}

const file = () => {
  const path = join(tempFolder(), 'deep', 'mirror.db');
  return { mirror: opened('/repo', path), again: () => opened('/repo', path) };
};
mirrorContract('a SQLite file', file);
registryContract('a SQLite file', file);
upkeepContract('a SQLite file', file);
vectorsContract('a SQLite file', file);

mirrorContract('SQLite in memory', () => ({ mirror: opened('/repo', ':memory:') }));

test('origins in one file do not see each other', async () => {
  const path = join(tempFolder(), 'mirror.db');
  const [one, two] = [opened('/one', path), opened('/two', path)];
  await put(one, [note('a.md', 'zebra')]);
  expect(await two.snapshot((view) => view.state())).toMatchObject({ head: null, generation: 0 });
  await put(two, [note('a.md', 'zebra zebra')]);
  await two.doubt([{ saveId: 's', deadlineMs: 1e15 }]);
  await two.drop(['a.md']);
  await two.prune(false);
  await one.snapshot(async (view) => {
    expect(await view.count(everybody(), {})).toBe(1);
    expect(await hitsOf(view, everybody(), ['zebra'], {}, 5)).toHaveLength(1);
    expect(await view.state()).toMatchObject({ head: head('a'), doubts: 0 });
  });
});
