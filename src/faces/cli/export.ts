import { existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { MemoryError } from '../../core/errors.js';
import { isBlob } from '../../core/hash.js';
import { cleanLine } from '../../core/input.js';
import { projectName } from '../../core/project.js';
import { nearestProjects, unknownProject } from '../../operations/unknown-project.js';
import type { Command } from './command.js';

/** Writes every note, byte for byte, under its own path into a folder. */
export const exportCommand: Command = {
  name: 'export',
  about: 'Writes every note, byte for byte, into a folder.',
  positionals: ['folder'],
  options: { project: { type: 'string', about: 'only this project' } },
  examples: ['export ~/notes-copy', 'export ./out --project owner/repo'],

  async run({ positionals, values, services, caller, out, progress, json, signal }) {
    const folder = positionals[0];
    if (folder === undefined || positionals.length > 1)
      throw new MemoryError('invalid_input', 'Which folder shall the notes go to?', 'strata-memory export <folder>');
    const target = resolve(folder);
    if (existsSync(target) && (!lstatSync(target).isDirectory() || readdirSync(target).length > 0)) {
      throw new MemoryError(
        'invalid_input',
        `${target} is not an empty folder. Nothing was written.`,
        'Name a folder that is empty or not there yet.',
      );
    }
    const project = typeof values.project === 'string' ? projectName(cleanLine('project', values.project)) : undefined;
    const { reader } = await services();
    const { value } = await reader.read(caller, undefined, 'fresh', async (reading) => {
      const near = await nearestProjects(reading, caller, project);
      if (project !== undefined && near !== null)
        throw new MemoryError('not_found', 'There is nothing to export.', unknownProject(project, near));
      const documents = await reading.list(
        caller,
        { projects: project === undefined ? undefined : [project] },
        { limit: 1_000_000 },
      );
      const renamed: string[] = [];
      let bytes = 0;
      for (const [index, document] of documents.entries()) {
        signal.throwIfAborted();
        const content = (await reading.get(caller, document.id))?.content ?? (await reading.content(document));
        if (!isBlob(document.blob, content))
          throw new MemoryError(
            'corrupt',
            'A note is not what its blob id says.',
            'Run strata-memory verify --repair, then export again.',
          );
        const path = freePath(target, document.path);
        if (path !== join(target, document.path)) renamed.push(document.path);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, content, { flag: 'wx' });
        bytes += content.length;
        progress(index + 1, documents.length);
      }
      return { folder: target, notes: documents.length, bytes, renamed };
    });
    out(
      json
        ? JSON.stringify(value, null, 2)
        : `${value.notes} notes (${value.bytes} bytes) written to ${target}.${value.renamed.length > 0 ? ` ${value.renamed.length} of them under another name: this file system cannot hold theirs.` : ''}`,
    );
    return 0;
  },
};

/** Where a note can stand on this file system: inside the folder, under its own name unless that is taken or impossible. */
function freePath(target: string, path: string): string {
  const safe = path
    .split('/')
    .filter((part) => part !== '' && part !== '.' && part !== '..')
    .map((part) => (process.platform === 'win32' ? part.replace(/[<>:"|?*\\\p{Cc}]/gu, '_') : part))
    .join(sep);
  const wanted = join(target, safe);
  let free = wanted;
  for (let count = 2; existsSync(free); count++) free = wanted.replace(/(\.md)?$/, `~${count}$1`);
  return free;
}
