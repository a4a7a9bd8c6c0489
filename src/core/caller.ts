import { userInfo } from 'node:os';
import type { Document } from './documents.js';

/** Who asks. Every operation receives one; every query on the mirror filters by what it may see. */
export interface Caller {
  /** Who: the local user's name over stdio, the token's subject over HTTP. */
  subject: string;
  /** Which projects: all, or those named and what lies below them. */
  projects: 'all' | string[];
  scopes: ReadonlySet<Scope>;
  /** The program that asks, as it named itself. */
  client: string;
}

export type Scope = 'read' | 'write' | 'admin';

export function localCaller(subject: string, client: string): Caller {
  return { subject, projects: 'all', scopes: new Set<Scope>(['read', 'write', 'admin']), client };
}

/** A PRIVATE note that names no author, written by another program, is its keeper's: somebody has to be able to read it. */
export function seesUnsigned(caller: Caller): boolean {
  return caller.scopes.has('admin');
}

/** The rule that the mirrors hold in SQL, for documents that are not in one. */
export function maySee(caller: Caller, document: Document): boolean {
  const own = document.author === caller.subject || (document.author === '' && seesUnsigned(caller));
  if (document.privacy === 'PRIVATE' && !own) return false;
  return seesProject(caller, document.project);
}

export function seesProject({ projects }: Caller, project: string): boolean {
  return projects === 'all' || projects.some((name) => `${project}/`.startsWith(`${name}/`));
}

/** Who the local user is: the name of the system's account. */
export function localSubject(): string {
  try {
    return userInfo().username;
  } catch {
    return 'local';
  }
}
