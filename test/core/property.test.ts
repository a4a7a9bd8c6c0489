import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { Receipt } from '../../src/core/draft.js';
import { tempFolder } from '../support/home.js';
import { bareRepository, commitFiles, fsck, notesAt } from '../support/repository.js';
import { openStand, type Stand } from '../support/stand.js';

const who = fc.nat(1);
const body = fc.nat(5);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('save' as const), who, body }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('edit' as const), who, body, which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sync' as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('push' as const), body }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat() }) },
  // Lets what was begun end before the next step; without it steps run beside each other.
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const) }) },
);

for (const shared of [true, false]) {
  test(`any interleaving of saves, edits, pushes and syncs ends with mirror = origin (${shared ? 'one mirror' : 'two mirrors'})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        const repository = bareRepository(tempFolder());
        const home = tempFolder();
        const stands = [
          await openStand(repository, { home }),
          await openStand(repository, { home: shared ? home : tempFolder() }),
        ] as const;
        /** Acknowledged: by path the blob of its newest receipt, in the order of the commits. */
        const acknowledged: Receipt[] = [];
        const removed = new Set<string>();
        const pushed = new Map<string, string>();
        let begun: Promise<unknown>[] = [];
        for (const each of steps) {
          if (each.do === 'wait') {
            await Promise.all(begun);
            begun = [];
          } else begun.push(take(each));
        }
        await Promise.all(begun);

        async function take(each: (typeof steps)[number]): Promise<void> {
          const stand: Stand = stands[('who' in each ? each.who : 0) as 0 | 1];
          if (each.do === 'save') acknowledged.push(await stand.save(`body ${each.body}`));
          else if (each.do === 'edit') {
            const target = acknowledged[each.which % Math.max(1, acknowledged.length)];
            if (!target) return;
            const edit = { id: target.id, path: target.path, replaces: target.blob };
            try {
              acknowledged.push(await stand.save(`edit ${each.body}`, { edit }));
            } catch (error) {
              expect((error as { code: string }).code).toMatch(/^(conflict|not_found)$/);
            }
          } else if (each.do === 'sync') await stand.sync.run({ reason: 'test' });
          else if (each.do === 'read') {
            // Every note that was acknowledged before the read began is in it, unless somebody took it away.
            const before = acknowledged.map(({ path }) => path);
            const { value } = await stand.reader.read(stand.caller, shared ? undefined : 'fresh', 'fast', (view) =>
              view.paths(),
            );
            for (const path of before) if (!removed.has(path)) expect([...value.keys()]).toContain(path);
          } else if (each.do === 'push') {
            const path = `by-hand/${each.body}.md`;
            const text = `# By hand ${each.body} ${pushed.size}\n`;
            if (commitFiles(repository, { [path]: text })) pushed.set(path, text);
          } else if (each.do === 'remove') {
            const target = acknowledged[each.which % Math.max(1, acknowledged.length)];
            if (!target || !notesAt(repository).has(target.path)) return;
            removed.add(target.path);
            commitFiles(repository, { [target.path]: null });
          }
        }

        const there = notesAt(repository);
        for (const { path } of acknowledged) if (!removed.has(path)) expect(there.has(path)).toBe(true);
        for (const path of pushed.keys()) expect(there.has(path)).toBe(true);
        // The newest receipt of each note is what stands there: no edit was overwritten by one that had not read it.
        const edits = new Map<string, Set<string>>();
        for (const { path, blob } of acknowledged) edits.set(path, (edits.get(path) ?? new Set()).add(blob));
        for (const [path, blobs] of edits) if (!removed.has(path)) expect([...blobs]).toContain(there.get(path));
        for (const stand of stands) {
          const { value } = await stand.reader.read(stand.caller, 'fresh', 'fast', (view) => view.paths());
          expect(new Map([...value].sort())).toEqual(new Map([...there].sort()));
          // A save that needed no commit is answered first and takes its doubt away after.
          await vi.waitFor(async () => expect((await stand.state()).doubts).toBe(0), 5_000);
        }
        expect(fsck(repository)).toEqual([]);
      }),
      { numRuns: Number(process.env.STRATA_RUNS ?? 12), endOnFailure: true },
    );
  });
}
