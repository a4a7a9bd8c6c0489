import { describe, expect, onTestFinished, test } from 'vitest';
import type { Mirror } from '../../src/core/ports.js';
import { createPostgresMirror, type PostgresMirrorOptions } from '../../src/tiers/mirror-postgres.js';
import { SCHEMA } from '../../src/tiers/postgres-schema.js';
import { everybody, head, mirrorContract, note, put, queryTerms } from '../support/mirror-contract.js';
import { createDatabase, POSTGRES } from '../support/postgres.js';
import { registryContract } from '../support/registry-contract.js';
import { hitsOf } from '../support/search.js';
import { upkeepContract } from '../support/upkeep-contract.js';
import { vectorsContract } from '../support/vectors-contract.js';

function opened(options: Partial<PostgresMirrorOptions> & { url: string }): Mirror {
  const mirror = createPostgresMirror({ origin: '/repo', ...options });
  onTestFinished(() => mirror.close());
  return mirror;
}

describe.skipIf(POSTGRES === null)('on a real server', () => {
  const server = async () => {
    const { url } = await createDatabase();
    return { mirror: opened({ url }), again: () => opened({ url }) };
  };
  mirrorContract('Postgres', server);
  registryContract('Postgres', server);
  upkeepContract('Postgres', server);
  vectorsContract('Postgres', server);

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
      expect(await hitsOf(view, everybody(), ['zebra'], {}, 5)).toHaveLength(1);
      expect(await view.state()).toMatchObject({ head: head('a'), doubts: 0 });
    });
  });

  test('ten that start at once on an empty database all succeed', async () => {
    const { url, sql } = await createDatabase();
    const ten = Array.from({ length: 10 }, () => opened({ url, limitMs: 20_000 }));
    const results = await Promise.all(ten.map((each, i) => each.stage([note(`${i}.md`, 'zebra')]).then(() => 'ok')));
    expect(results).toEqual(Array(10).fill('ok'));
    expect(await sql`SELECT count(*)::int AS n FROM strata_mirror.documents`).toEqual([{ n: 10 }]);
  });

  test('how bytes and literals are written for its role or database is all the same', async () => {
    const { url, sql, name } = await createDatabase();
    await sql.unsafe(`ALTER DATABASE ${name} SET bytea_output = 'escape'`);
    await sql.unsafe(`ALTER DATABASE ${name} SET standard_conforming_strings = off`);
    const mirror = opened({ url });
    const notes = [note('a.md', 'zebra \\d \\ \u0001 ж')];
    await put(mirror, notes);
    const kept = await opened({ url }).snapshot((view) => view.get(everybody(), 'a'));
    expect(kept?.content).toEqual(notes[0]?.content);
  });

  test('a newer schema, of either half, is refused and nothing is written', async () => {
    for (const half of ['strata_mirror', 'strata_durable']) {
      const { url, sql } = await createDatabase();
      const before = opened({ url });
      await put(before, [note('a.md', 'zebra')]);
      await sql.unsafe(`COMMENT ON SCHEMA ${half} IS 'version 99'`);
      for (const mirror of [before, opened({ url })]) {
        const newer = { code: 'newer_schema', message: expect.stringMatching(/schema 99/) };
        await expect(put(mirror, [note('b.md', 'yak')])).rejects.toMatchObject(newer);
        await expect(mirror.doubt([{ saveId: 's', deadlineMs: 1 }])).rejects.toMatchObject(newer);
        await expect(mirror.snapshot((view) => view.paths())).rejects.toMatchObject(newer);
      }
      expect(await sql`SELECT path FROM strata_mirror.documents`).toEqual([{ path: 'a.md' }]);
      expect(await sql`SELECT * FROM strata_mirror.doubts`).toEqual([]);
      const [row] = await sql`SELECT obj_description(to_regnamespace(${half})::oid, 'pg_namespace') AS text`;
      expect(row?.text).toBe('version 99');
    }
  });

  test('an older mirror is dropped and rebuilt, the durable half migrated with its rows, by ten at once', async () => {
    const { url, sql } = await createDatabase();
    const old = opened({ url });
    await put(old, [note('a.md', 'zebra')]);
    await sql`INSERT INTO strata_durable.metrics VALUES (1, 'o', 'kept', '', 2)`;
    const next = {
      text: () =>
        SCHEMA.text()
          .replace(`THEN ${SCHEMA.mirror} ELSE 1 END`, `THEN ${SCHEMA.mirror + 1} ELSE 2 END`)
          .replace(`version ${SCHEMA.mirror}'`, `version ${SCHEMA.mirror + 1}'`)
          .replace("version 1'", "version 2'"),
      mirror: SCHEMA.mirror + 1,
      durable: 2,
      migrations: ['ALTER TABLE strata_durable.metrics ADD COLUMN unit text'],
    };
    const ten = Array.from({ length: 10 }, () => opened({ url, schema: next, limitMs: 20_000 }));
    const states = await Promise.all(ten.map((each) => each.snapshot((view) => view.state())));
    for (const state of states) expect(state).toMatchObject({ head: null, generation: 0 });
    expect(ten.flatMap((each) => each.notices())).toEqual([expect.stringMatching(/older version: dropped, rebuilt/)]);
    expect(await sql`SELECT name, unit FROM strata_durable.metrics`).toEqual([{ name: 'kept', unit: null }]);
    expect(await sql`SELECT * FROM strata_mirror.documents`).toEqual([]);
    // The older program finds itself overtaken.
    await expect(put(old, [])).rejects.toMatchObject({ code: 'newer_schema' });
  });

  test('a migration that fails leaves everything as it was', async () => {
    const { url, sql } = await createDatabase();
    await put(opened({ url }), [note('a.md', 'zebra')]);
    const broken = {
      ...SCHEMA,
      mirror: SCHEMA.mirror + 1,
      durable: 2,
      migrations: ['ALTER TABLE strata_durable.nothing ADD x text'],
    };
    await expect(opened({ url, schema: broken }).clock()).rejects.toMatchObject({ code: 'mirror_unavailable' });
    expect(await sql`SELECT path FROM strata_mirror.documents`).toEqual([{ path: 'a.md' }]);
    expect(await opened({ url }).snapshot((view) => view.count(everybody(), {}))).toBe(1);
  });

  test('a mirror that was dropped while it was open is there again, never synced', async () => {
    const { url, sql } = await createDatabase();
    const mirror = opened({ url });
    await put(mirror, [note('a.md', 'zebra')]);
    await sql.unsafe('DROP SCHEMA strata_mirror CASCADE');
    expect(await mirror.snapshot((view) => view.state())).toMatchObject({ head: null, generation: 0 });
    expect(await put(mirror, [note('a.md', 'zebra')])).toBe(true);
    await sql.unsafe('DROP TABLE strata_mirror.documents_search');
    expect(await mirror.unindexed()).toEqual(['a.md']);
  });

  test('nothing that is pruned by one has been made live by another', async () => {
    const { url } = await createDatabase();
    const [one, two] = [opened({ url }), opened({ url })];
    await put(one, []);
    for (let round = 0; round < 15; round++) {
      const some = Array.from({ length: 5 }, (_, i) => note(`${round}/${i}.md`, `round ${round}`));
      await one.stage(some);
      const [applied] = await Promise.all([put(one, [], { live: some }), two.prune(true), two.prune(true)]);
      const live = await one.snapshot((view) => view.paths());
      expect(some.filter(({ path }) => live.has(path))).toHaveLength(applied ? 5 : 0);
    }
  });

  test('a document with more different words than a search vector holds is found by each', async () => {
    const { url } = await createDatabase();
    const mirror = opened({ url, limitMs: 20_000 });
    const words = Array.from(
      { length: 150_000 },
      (_, i) => `w${i.toString(26).replace(/\d/g, (digit) => 'qrstuvwxyz'[Number(digit)] as string)}q`,
    );
    await put(mirror, [note('dictionary.md', words.join(' ')), note('other.md', 'zebra')]);
    for (const word of [words[0], words[70_000], words.at(-1)] as string[]) {
      const hits = await mirror.snapshot((view) => hitsOf(view, everybody(), queryTerms(word), {}, 5));
      expect(
        hits.map(({ document }) => document.path),
        word,
      ).toEqual(['dictionary.md']);
    }
  });
});
