/** Where a client works. */
export interface Workplace {
  /** The project of a folder, the same from any clone, worktree or machine; null where it is in no repository. */
  projectAt(folder: string): Promise<string | null>;
  /** The project whose repository has the folder's own as a submodule; null where that is none. */
  parentAt(folder: string): Promise<string | null>;
}
