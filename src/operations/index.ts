import { listProjects } from './list-projects.js';
import { listSessions } from './list-sessions.js';
import { loadContext } from './load-context.js';
import { memoryStatus } from './memory-status.js';
import type { Operation } from './operation.js';
import { readMemory } from './read-memory.js';
import { saveCheckpoint } from './save-checkpoint.js';
import { savePattern } from './save-pattern.js';
import { saveSession } from './save-session.js';
import { searchMemory } from './search-memory.js';
import { syncNow } from './sync-now.js';
import { updateProject } from './update-project.js';
import { verifyWithGithub } from './verify-with-github.js';
import { weeklyReview } from './weekly-review.js';

/** Everything a caller can ask. Adding a capability is one file and one line. */
export const OPERATIONS = [
  loadContext,
  saveSession,
  searchMemory,
  readMemory,
  listSessions,
  verifyWithGithub,
  memoryStatus,
  syncNow,
  saveCheckpoint,
  savePattern,
  listProjects,
  updateProject,
  weeklyReview,
] as unknown as readonly Operation[];
