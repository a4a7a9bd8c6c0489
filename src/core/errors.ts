/**
 * The one error type of the program. `message` says what happened, `hint` says what to do now; both may be read by a
 * model or a person, so neither ever quotes stored text or a secret. What came from outside goes into `cause`.
 */
export class MemoryError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MemoryError';
    this.code = code;
    this.hint = hint;
  }
}

/** From code to HTTP status, process exit code, and whether the same call may succeed when it is made again. */
export const ERROR_TABLE = {
  invalid_input: { http: 400, exit: 2, retry: false },
  refused: { http: 403, exit: 3, retry: false },
  not_found: { http: 404, exit: 4, retry: false },
  conflict: { http: 409, exit: 5, retry: false },
  config: { http: 500, exit: 78, retry: false },
  newer_schema: { http: 500, exit: 78, retry: false },
  corrupt: { http: 500, exit: 65, retry: false },
  origin_unavailable: { http: 503, exit: 69, retry: true },
  mirror_unavailable: { http: 503, exit: 69, retry: true },
  deadline: { http: 504, exit: 75, retry: true },
  cancelled: { http: 499, exit: 130, retry: true },
  internal: { http: 500, exit: 70, retry: false },
} as const;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** Turns anything thrown into a MemoryError; what is not ours becomes `internal`, its text kept in `cause` only. */
export function toMemoryError(error: unknown): MemoryError {
  if (error instanceof MemoryError) return error;
  if (error instanceof Error && error.name === 'AbortError') {
    return new MemoryError('cancelled', 'The call was cancelled.', 'Call again when you need it.', error);
  }
  const missing = /^Cannot find (?:package|module) '([^']+)'/.exec(error instanceof Error ? error.message : '')?.[1];
  if (missing !== undefined) {
    return new MemoryError(
      'config',
      'A package that strata-memory needs is not installed.',
      'Run `npm ci` in its folder.',
      error,
    );
  }
  return new MemoryError(
    'internal',
    'Something went wrong inside strata-memory.',
    'Call again; if it happens again, look at the server log (stderr) and run memory_status.',
    error,
  );
}

/** One line for the log: our own message plus what lies beneath it, which may quote a token. */
export function explain(error: unknown): string {
  return layers(error).replace(/\b(gh[pousr]_|github_pat_)\w+/g, '$1(hidden)');
}

function layers(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error instanceof MemoryError ? `${error.code}: ${error.message}` : `${error.name}: ${error.message}`;
  return error.cause === undefined ? own : `${own} <- ${layers(error.cause)}`;
}
