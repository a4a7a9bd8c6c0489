/** What GitHub says of a repository that may be used, or made. */
export interface Standing {
  /** Who the token belongs to. */
  login: string;
  /** Null: there is none that the token can see. */
  repository: {
    fullName: string;
    isPrivate: boolean;
    archived: boolean;
    canWrite: boolean;
    /** Its head on the default branch; null while it is empty. */
    commit: string | null;
    branch: string;
  } | null;
}

/** A repository on GitHub before it is a memory. Throws `refused` or `origin_unavailable` with the remedy. */
export interface Account {
  look(): Promise<Standing>;
  /** Makes it, private. */
  create(): Promise<void>;
}

/** What the command line needs to bring a memory to GitHub. */
export interface GitHubTools {
  /** `GITHUB_TOKEN`, where it is set. */
  token: string | undefined;
  apiUrl: string;
  account(owner: string, name: string, token: string): Account;
  /** Pushes the whole history of the local origin. Returns its head. */
  push(target: { fullName: string; branch: string; token: string }): Promise<{ commit: string; commits: number }>;
}
