import type { Outcome } from './ports.js';

export const JOB_NAMES = ['sync', 'health', 'retention', 'checkpoints'] as const;
export type JobName = (typeof JOB_NAMES)[number];

/** How a job ended; `note` is our own words, for a person. */
export interface JobResult {
  outcome: Exclude<Outcome, 'failed'>;
  note: string;
}

/** What is done from time to time: the what, without the when. Throws where it failed. */
export type Job = (signal: AbortSignal) => Promise<JobResult>;

/** Where a job stands, by whatever process ran it last. */
export interface JobState {
  name: JobName;
  /** False where the configuration switches it off. */
  on: boolean;
  running: boolean;
  outcome: Outcome | null;
  note: string;
  endedAgoMs: number | null;
  /** Null where this process runs no jobs. */
  nextInMs: number | null;
}

export interface Jobs {
  states(): Promise<JobState[]>;
}
