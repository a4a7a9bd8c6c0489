import type { Caller } from './caller.js';

/** What stood at a path until another blob did, or none. */
export interface Version {
  path: string;
  blob: string;
  /** The commit by which it no longer stood there. */
  untilCommit: string;
  /** When the mirror learnt of that, by the database's clock. */
  untilMs: number;
  /** The document's own time. */
  timeMs: number;
}

/** What a mirror still has of earlier documents. */
export interface KeptVersions {
  /**
   * Contents by their blob ids, as far as they are kept here: of what is live and has that blob, and of superseded versions
   * of that path. Of versions only the project is known here: whoever hands them out asks `maySee` of what they parse to.
   */
  past(caller: Caller, wanted: { path: string; blob: string }[]): Promise<Map<string, Uint8Array>>;
  /** Superseded versions in the projects that a caller may see, in the order of their end; the same holds for them. */
  versions(caller: Caller): Promise<Version[]>;
}
