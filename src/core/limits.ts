/** Every bound of the program in one place. Units are last in the names. */
export const LIMITS = {
  // What a caller may hand us.
  titleChars: 200,
  summaryChars: 2_000,
  itemChars: 1_000,
  items: 50,
  tagChars: 60,
  tags: 30,
  keyChars: 200,
  queryChars: 2_000,
  /** The longest path that systems take. */
  idChars: 4_096,
  projectChars: 200,
  /** A saved body. Larger notes belong in several notes: they could not be read back in one answer. */
  contentBytes: 1024 * 1024,
  stdioMessageBytes: 32 * 1024 * 1024,

  // What a repository may hold.
  /** Larger files are listed and read from the origin, never indexed. */
  indexedBytes: 4 * 1024 * 1024,
  frontMatterChars: 512 * 1024,
  /** No file that is indexed at all has more: 4 MiB of one-letter words. */
  termsPerDocument: 4_000_000,
  storedTitleChars: 200,

  // Answers.
  listDefault: 20,
  listMax: 100,
  searchDefault: 8,
  searchMax: 50,
  budgetDefaultTokens: 1_800,
  searchBudgetTokens: 1_500,
  budgetMinTokens: 100,
  budgetMaxTokens: 20_000,
  passageChars: 600,

  // Waiting.
  headConfirmMs: 700,
  headFreshMs: 60_000,
  catchUpMs: 20_000,
  mirrorWriteMs: 5_000,
  saveDeadlineMs: 30_000,
  doubtGraceMs: 5_000,
  saveTurnMs: 10_000,
  gitCommandMs: 60_000,
  closeMs: 5_000,
  rootsMs: 1_000,
  /** How long a folder's project is taken for known. */
  workplaceMs: 10_000,

  // Work at a time.
  groupSaves: 200,
  groupBytes: 16 * 1024 * 1024,
  stageDocuments: 200,
  stageBytes: 8 * 1024 * 1024,
  syncAttempts: 5,
  saveAttempts: 50,
  degradedDocuments: 500,
  historyCommits: 50_000,
  readConnections: 4,
  ephemeralNotes: 200,
  /** The same content from the same caller within this time is the same document. */
  sameSaveMs: 24 * 60 * 60 * 1000,
  /** A git lock file this old has lost its holder: git holds one for milliseconds. */
  staleLockMs: 10_000,
  collectAfterSaves: 500,
  reportedProblems: 25,
} as const;
