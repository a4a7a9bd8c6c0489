/** Where an answer comes from, and how much it can be trusted to be the latest. */
export interface Provenance {
  tier: string;
  /** Empty where the origin has no commit yet; null where it was never read. */
  commit: string | null;
  generation: number;
  /** Since the head was last confirmed at the origin; null where it is not confirmed. */
  ageMs: number | null;
  verified: boolean;
  skipped: { tier: string; why: string }[];
  notes: string[];
}
