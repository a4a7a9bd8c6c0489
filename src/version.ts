import { createRequire } from 'node:module';

/** From `package.json`, which lies one folder above both the source and the built program. */
export const VERSION = (createRequire(import.meta.url)('../package.json') as { version: string }).version;
