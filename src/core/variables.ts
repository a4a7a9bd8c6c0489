import { LOG_LEVELS } from './log.js';

interface Variable {
  name: string;
  flag: string;
  value: string;
  about: string;
  /** Never shown. */
  secret?: boolean;
}

/** Each variable, its flag and its default, in words. */
export const VARIABLES = [
  {
    name: 'MEMORY_REPO',
    flag: 'repo',
    value: 'owner/name|path',
    about: 'a repository on GitHub, or a path to one on this machine; default: one of our own under MEMORY_HOME',
  },
  {
    name: 'MEMORY_BRANCH',
    flag: 'branch',
    value: 'name',
    about: "the branch with the notes; default: the repository's own",
  },
  {
    name: 'GITHUB_TOKEN',
    flag: 'github-token',
    value: 'token',
    about: 'for MEMORY_REPO=owner/name: a fine-grained token with Contents: read and write',
    secret: true,
  },
  {
    name: 'GITHUB_API_URL',
    flag: 'github-api-url',
    value: 'url',
    about: "of GitHub Enterprise, e.g. https://github.example.com/api/v3; default: GitHub's own",
  },
  {
    name: 'MEMORY_ALLOW_PUBLIC',
    flag: 'allow-public',
    value: 'on|off',
    about: 'whether a public repository on GitHub may be used; default off',
  },
  {
    name: 'MEMORY_OUTBOX',
    flag: 'outbox',
    value: 'on|off',
    about: 'whether saves are kept and sent later while GitHub cannot be reached; default on',
  },
  {
    name: 'MEMORY_READ_DEADLINE',
    flag: 'read-deadline',
    value: 'time',
    about: 'how long one question to GitHub may take, with its retries; default 8s',
  },
  {
    name: 'MEMORY_SAVE_DEADLINE',
    flag: 'save-deadline',
    value: 'time',
    about: 'how long a save may take before it is queued or fails; default 30s',
  },
  {
    name: 'MEMORY_MIRROR_DEADLINE',
    flag: 'mirror-deadline',
    value: 'time',
    about: 'how long Postgres may take for one step before reads and saves go on without it; default 5s',
  },
  {
    name: 'MEMORY_HOME',
    flag: 'home',
    value: 'path',
    about: "where the mirror and the durable store are; default: the system's data folder",
  },
  {
    name: 'DATABASE_URL',
    flag: 'database-url',
    value: 'url',
    about: 'postgres://… of the mirror, shared by any number of instances; default: SQLite under MEMORY_HOME',
  },
  {
    name: 'DATABASE_READ_URL',
    flag: 'database-read-url',
    value: 'url',
    about: 'a replica of that Postgres, to read from',
  },
  {
    name: 'REDIS_URL',
    flag: 'redis-url',
    value: 'url',
    about:
      'redis://… or rediss://… (TLS) of a cache; several hosts, or redis+cluster://…, for a cluster; default: none',
  },
  {
    name: 'MEMORY_PROJECT',
    flag: 'project',
    value: 'name',
    about: 'the project of calls that name none; default: found from where the client works',
  },
  {
    name: 'MEMORY_STALE_AFTER',
    flag: 'stale-after',
    value: 'time',
    about: 'how old a confirmed head may be before a read asks the origin, e.g. 90s, 15m, 1h; default 1h',
  },
  {
    name: 'MEMORY_SYNC_CRON',
    flag: 'sync-cron',
    value: 'cron|off',
    about: 'when a server syncs by itself, unless somebody just did; default `*/15 * * * *`',
  },
  {
    name: 'MEMORY_CHECKPOINTS',
    flag: 'checkpoints',
    value: 'cron|off',
    about: 'when a server saves a checkpoint of each project that went on since its last one; default `30 4 * * 1`',
  },
  {
    name: 'MEMORY_RETENTION',
    flag: 'retention',
    value: 'days|off',
    about: 'after how long without a reader a content stays at the origin only; default off, 90d with DATABASE_URL',
  },
  {
    name: 'MEMORY_EMBEDDINGS',
    flag: 'embeddings',
    value: 'minilm|path|off',
    about:
      'the language model that compares meaning: all-MiniLM-L6-v2, which is built in (English), or a folder with another one of its kind; default minilm',
  },
  { name: 'MEMORY_TOOLS', flag: 'tools', value: 'all|core', about: 'which tools are offered; default all' },
  { name: 'MEMORY_LOG', flag: 'log', value: 'level', about: `${LOG_LEVELS.join(', ')}; default info` },
] as const satisfies readonly Variable[];

/** Known to the product but not to this version: named so that nobody waits for what they do. */
export const LATER = ['MEMORY_JWT_SECRET', 'MEMORY_JWKS_URL', 'MEMORY_ALERT_URL', 'MEMORY_ENCRYPTION_KEY'];
