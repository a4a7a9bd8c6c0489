import { z } from 'zod';
import type { Caller, Scope } from '../core/caller.js';
import { MemoryError } from '../core/errors.js';
import type { Unconfirmed } from '../core/format.js';
import { cleanLine } from '../core/input.js';
import { LIMITS } from '../core/limits.js';
import { INBOX, projectName } from '../core/project.js';
import type { Provenance } from '../core/provenance.js';
import { CONSISTENCY } from '../core/reader.js';
import type { Services } from '../core/services.js';

export interface Context {
  services: Services;
  caller: Caller;
  signal: AbortSignal;
  progress(done: number, total: number, message?: string): void;
  /** The project that a call is about: the one that it names, or the one that was found. */
  project(named: string | undefined): Promise<string>;
  /** The project that this one is a submodule of where the client works; undefined where it works in no such thing. */
  parent(project: string): Promise<string | undefined>;
}

/** What a caller can ask: every face (MCP tool, REST route, command) derives from this one literal. */
export interface Operation<I extends z.ZodObject = z.ZodObject, O = unknown> {
  name: string;
  title: string;
  /** First sentence: when to call. */
  description: string;
  input: I;
  output: z.ZodType<O>;
  effect: 'read' | 'add' | 'change';
  idempotent: boolean;
  scope: Scope;
  /** Part of `MEMORY_TOOLS=core`. */
  core: boolean;
  /** False: a command, a resource and a prompt, and not in `tools/list`, which every session pays for. */
  tool?: false;
  meta?: Record<string, unknown>;
  /** As a command: its name, what it does for a person, the arguments that need no flag, and examples without the program's name. */
  command: {
    name: string;
    about: string;
    positionals: string[];
    examples: string[];
    /** Refuses what makes no sense in a process that ends with its answer. */
    refuse?(input: z.infer<I>): MemoryError | null;
  };
  run(input: z.infer<I>, context: Context): Promise<O>;
  /** The answer as Markdown, made for a model. */
  format(output: O, input: z.infer<I>): string | Promise<string>;
  /** Is told what the caller was given: the text, or null where that was the whole output as data. */
  told?(text: string | null, output: O, context: Context): void;
  /** Bytes that text cannot carry. */
  attachment?(output: O): { uri: string; mimeType: string; blob: string } | null;
}

export function defineOperation<I extends z.ZodObject, O>(operation: Operation<I, O>): Operation<I, O> {
  return operation;
}

/** Finds the project of one call: the one it names, the configured one, that of the first folder in a repository. */
export function projectFinder(
  { workplace }: Services,
  configured: string | undefined,
  folders: () => Promise<string[]>,
): Pick<Context, 'project' | 'parent'> {
  let asked: Promise<string[]> | undefined;
  // A client may be slow to name its folders.
  const once = () => {
    asked ??= folders();
    return asked;
  };
  return {
    async project(named) {
      if (named !== undefined) return projectName(cleanLine('project', named));
      if (configured !== undefined) return configured;
      for (const folder of await once()) {
        const found = await workplace.projectAt(folder);
        if (found !== null) return found;
      }
      return INBOX;
    },
    async parent(project) {
      for (const folder of await once())
        if ((await workplace.projectAt(folder)) === project) return (await workplace.parentAt(folder)) ?? undefined;
      return undefined;
    },
  };
}

export const consistency = z.enum(CONSISTENCY).optional();

/** Of tools that can look back. */
export const asOf = z.string().min(1).max(100).optional().describe('date or commit: as it was then');

/** The commit that an answer was true at, and its time; null: now. */
export const asOfAnswer = z.object({ commit: z.string().nullable(), timeMs: z.number() }).nullable();

export const provenance: z.ZodType<Provenance> = z.object({
  tier: z.string(),
  commit: z.string().nullable(),
  generation: z.number(),
  ageMs: z.number().nullable(),
  verified: z.boolean(),
  skipped: z.array(z.object({ tier: z.string(), why: z.string() })),
  notes: z.array(z.string()),
});

export const unconfirmed: z.ZodType<Unconfirmed> = z.object({
  queued: z.number(),
  unknown: z.number(),
  conflicts: z.number(),
  elsewhere: z.number(),
  unreadable: z.boolean(),
  why: z.string(),
});

export const limitOf = (most: number) => z.int().min(1).max(most).optional();
export const budget = z.int().min(LIMITS.budgetMinTokens).max(LIMITS.budgetMaxTokens).optional();

/** Validates what a caller sent. Throws `invalid_input` naming every argument that is wrong and what would be right. */
export function parseInput<I extends z.ZodObject>(
  operation: Operation<I, never> | Operation<I, unknown>,
  given: unknown,
): z.infer<I> {
  const parsed = operation.input.safeParse(given ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data as z.infer<I>;
  const known = Object.keys(operation.input.shape);
  const problems = parsed.error.issues.slice(0, 5).map((issue) => describeIssue(issue, known));
  throw new MemoryError(
    'invalid_input',
    `${operation.name}: ${[...new Set(problems)].join('; ')}. Nothing was done.`,
    'Correct the arguments and call again.',
  );
}

function describeIssue(issue: z.core.$ZodIssue, known: string[]): string {
  const name = issue.path.length === 0 ? 'the arguments' : `\`${issue.path.map(String).join('.')}\``;
  switch (issue.code) {
    case 'unrecognized_keys':
      return `there is no argument ${issue.keys
        .slice(0, 3)
        .map((key) => `\`${key.slice(0, 40).replace(/[^\w-]/g, '?')}\``)
        .join(', ')}; there are ${known.join(', ')}`;
    case 'invalid_type':
      return issue.input === undefined && issue.path.length > 0
        ? `${name} is missing (${issue.expected})`
        : `${name} must be ${article(issue.expected)}`;
    case 'invalid_value':
      return `${name} must be one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `${name} must be at least ${issue.minimum}${unit(issue.origin)}`;
    case 'too_big':
      return `${name} must be at most ${issue.maximum}${unit(issue.origin)}`;
    default:
      return `${name} is not valid`;
  }
}

function article(expected: string): string {
  return `${/^[aeiou]/.test(expected) ? 'an' : 'a'} ${expected === 'int' ? 'whole number' : expected}`.replace(
    'an whole',
    'a whole',
  );
}

function unit(origin: string): string {
  return origin === 'string' ? ' characters long' : origin === 'array' ? ' items long' : '';
}
