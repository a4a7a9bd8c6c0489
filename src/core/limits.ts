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

  /** The text of a pattern, which is read whole where it may help: a lesson, not a report. */
  patternBytes: 32 * 1024,

  // What a repository may hold.
  /** Larger files are listed and read from the origin, never indexed. */
  indexedBytes: 4 * 1024 * 1024,
  frontMatterChars: 512 * 1024,
  storedTitleChars: 200,
  /** Sources of a pattern that are known to be there or gone; merged ones may have more. */
  evidence: 200,

  // Answers.
  /** Of a list of all. */
  projects: 10_000,
  /** Of one project, the last heard of first. */
  relatives: 500,
  listDefault: 20,
  listMax: 100,
  searchDefault: 8,
  searchMax: 50,
  budgetDefaultTokens: 1_800,
  searchBudgetTokens: 1_500,
  budgetMinTokens: 100,
  budgetMaxTokens: 20_000,

  // The context of a project: notes whose steps and decisions are followed, patterns, relatives and notes of theirs.
  contextNotes: 200,
  /** The same where one section is asked for: steps stay open for long. */
  sectionNotes: 1_000,
  contextPatterns: 500,
  /** Patterns that are offered. */
  contextOffered: 6,
  /** Lines of contexts that a process remembers. */
  contextLines: 80_000,
  contextRelatives: 8,
  contextRelativesNotes: 24,
  /** Documents that came or changed since a commit, and that went, of all projects: each is looked at. */
  contextChanges: 500,
  contextGone: 50,

  // Patterns that are saved: those whose texts are compared, and how much of the new one is.
  patternsCompared: 8,
  patternComparedChars: 4_000,
  /** How long uses are collected before they are written. */
  usesSettleMs: 1_000,
  /** Patterns whose sources one verification looks for. */
  verifiedPatterns: 10_000,
  /** Uses that wait to be written. */
  usesWaiting: 10_000,

  // Looking back at a week: days, lines of each kind, documents that are read at a time, how long one works in one go.
  reviewDays: 366,
  reviewLines: 200,
  reviewCandidates: 12,
  reviewPage: 100,
  turnMs: 15,
  /** An active project without a note for so long has gone quiet. */
  quietMs: 30 * 24 * 60 * 60_000,

  // Waiting.
  headConfirmMs: 700,
  headFreshMs: 60_000,
  /** An older head that is still there after this long is a force push, not a read that lags. */
  lateHeadMs: 60_000,
  /** A mirror that was confirmed this lately is built on without asking a remote origin first. */
  presumedHeadMs: 10 * 60_000,
  catchUpMs: 20_000,
  mirrorWriteMs: 5_000,
  /** A read that a replica does not begin to answer within this goes to the primary. */
  replicaMs: 1_000,
  /** How long a replica that failed is left alone. */
  replicaRestMs: 10_000,
  /** Each statement that makes the schema, and the wait for others who make it. */
  postgresSchemaMs: 30_000,
  /** A connection that nobody used for so long is closed. */
  postgresIdleMs: 60_000,
  /** The most that anything waits for the cache. */
  cacheMs: 50,
  /** From the first use of the cache to loading its client, which takes longer than an answer. */
  cacheStartMs: 100,
  /** A connection to the cache, with its login. */
  cacheConnectMs: 2_000,
  /** How long a cache that failed is left alone: at first, and at most. */
  cacheRestMs: 250,
  cacheRestMostMs: 30_000,
  /** A failure of the cache this recent is an alert, though it is connected. */
  cacheNewsMs: 60_000,
  saveDeadlineMs: 30_000,
  doubtGraceMs: 5_000,
  saveTurnMs: 10_000,
  gitCommandMs: 60_000,
  /** A whole history over a slow line. */
  pushMs: 30 * 60_000,
  closeMs: 5_000,
  rootsMs: 1_000,
  /** How long a folder's project is taken for known. */
  workplaceMs: 10_000,

  // GitHub.
  githubReadMs: 8_000,
  /** One try to commit, and what a byte may add to it. */
  githubWriteMs: 10_000,
  githubBytesPerMs: 200,
  githubConcurrency: 4,
  /** How long what is known of a repository (public, archived, its name) is taken for true before a save. */
  factsMs: 60_000,
  /** Blobs, or paths, to a query. */
  githubBlobs: 100,
  githubQueryBytes: 2_000_000,
  /** GraphQL cuts longer texts short. */
  githubTextBytes: 500_000,
  githubCacheBytes: 16 * 1024 * 1024,
  /** Commits of which single answers are remembered. */
  githubCommits: 20,
  /** Paths whose history one query walks, how far, and for how many notes without a date this is done at a time. */
  githubHistories: 100,
  githubVersions: 20,
  githubTimes: 100,
  /** Pages of a hundred commits that are gone through for what was there at a time. */
  githubPastPages: 50,
  /** One request to the git data API. */
  githubRequestBytes: 2_400_000,

  // The search index.
  /** New documents that search reads one by one before they are merged into a segment, and the most that go into one. */
  tailDocuments: 512,
  segmentDocuments: 1_024,
  /** Words of a query that no note has, for which near ones are looked for. */
  nearWords: 8,
  /** Callers' views that a process remembers. */
  searchViews: 4,

  // Meaning.
  /** Of a query; the model reads some 250 words of it. */
  embeddedChars: 4_000,
  /** Without work for so long the model, and without a search the vectors, leave the memory. */
  modelIdleMs: 5 * 60_000,
  /** What a search waits for its meaning, the model's loading included. */
  embedQueryMs: 5_000,
  /** After a failure searches do without what was embedded since for so long. */
  embedRestMs: 10_000,
  /** For a faster engine to be loaded, before the built-in one takes over. */
  engineStartMs: 20_000,
  /** A model that could not be loaded is tried again after so long. */
  modelRestMs: 60_000,
  /** Vectors that are read from the mirror, and names that are compared, at a time. */
  vectorRows: 500,
  /** Vectors that are written at a time. */
  keptVectors: 8,
  /** How soon after a save or a sync embedding begins, and how often it looks for what other processes have left. */
  embedSettleMs: 2_000,
  embedLookMs: 60_000,
  /** Texts in a row on which the model fails before it is left alone for a while. */
  embedFailures: 3,

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
  postgresConnections: 8,
  /** A step of so many documents makes Postgres count anew: it plans by what it last counted. */
  postgresCountAfter: 50,
  /** Tries of a transaction that lost against another. */
  postgresAttempts: 5,
  ephemeralNotes: 200,

  // The cache.
  cacheSeconds: 60 * 60,
  /** Larger values are not cached. */
  cacheValueBytes: 8 * 1024 * 1024,
  /** Values from this size on are compressed. */
  cachePackBytes: 2_048,
  /** Tries of a change that lost against another. */
  cacheAttempts: 5,
  /** Values that are on their way to the cache at a time; more are not sent. */
  cacheUnderWay: 64,
  /** Saves in the cache whose mirror step failed. */
  cacheLate: 200,

  // Looking back.
  /** Times whose commits are remembered, and commits whose documents are. */
  pastMoments: 200,
  pastListings: 4,
  /** Documents of the past that one answer is made of besides those that are still the same, and their bytes; as many are kept. */
  pastDocuments: 4_000,
  pastBytes: 24 * 1024 * 1024,
  /** Of them, so many are asked for at a time: of the mirror, of the origin. */
  pastRows: 64,
  pastBlobs: 400,

  // Saves that wait for the origin.
  outboxAlert: 100,
  outboxEntries: 2_000,
  /** Lost edits that memory_status names. */
  reportedConflicts: 5,
  outboxBytes: 64 * 1024 * 1024,
  /** Refusals of single saves after which an origin is taken to refuse all. */
  outboxRefusals: 5,
  /** How long one waits that was refused where others were taken. */
  outboxRefusedMs: 60 * 60_000,
  /** After a failure, how long a save waits for the origin's head to hear whether it lasts. */
  outboxProbeMs: 1_500,
  /** Between being told that the origin answers and the next try. */
  outboxNudgeMs: 100,
  /** After a failed try saves go to the outbox at once for so long. */
  outboxPauseMs: 5_000,
  outboxRetryMs: 2_000,
  outboxRetryMostMs: 60_000,
  /** How often a process looks for what another one has left behind. */
  outboxLookMs: 15_000,

  // Jobs.
  /** After the start of a server: one whose client leaves at once starts none. */
  jobsSettleMs: 2_000,
  /** After a server that could not be opened for its jobs. */
  openAgainMs: 60_000,
  /** How far a job is put off at random, so that many servers do not ask at once. */
  jobJitterMs: 60_000,
  jobTries: 3,
  /** Before the second try; four times as long before the third. */
  jobBackoffMs: 2_000,
  /** A job whose holder dies can be taken over after this long. */
  leaseMs: 60_000,
  /** The daily and weekly jobs are looked at every 15 minutes, and are due after so long. */
  healthMs: 23.5 * 60 * 60_000,
  retentionMs: 6.98 * 24 * 60 * 60_000,
  /** Checkpoints of the schedule in one commit, and the tokens of one. */
  checkpointGroup: 20,
  checkpointTokens: 600,
  /** A project's first one waits for so many notes. */
  checkpointNotes: 3,
  /** Documents that are looked through at a time. */
  checkpointRows: 500,
  /** A job that failed is due again after so long. */
  jobFailedRestMs: 10 * 60_000,
  dayMs: 24 * 60 * 60_000,
  touchedRemembered: 100_000,
  shedDocuments: 500,
  /** Comparisons of a mirror that is written to meanwhile. */
  verifyAttempts: 3,

  /** The same content from the same caller within this time is the same document. */
  sameSaveMs: 24 * 60 * 60 * 1000,
  /** A git lock file this old has lost its holder: git holds one for milliseconds. */
  staleLockMs: 10_000,
  collectAfterSaves: 500,
  reportedProblems: 25,
} as const;
