import { existsSync } from 'node:fs';
import { homedir, platform } from 'node:os';
import { join } from 'node:path';

export interface ClientConfig {
  client: 'Claude Desktop' | 'Claude Code';
  file: string;
  /** The client is on this machine, whether or not its file is there yet. */
  found: boolean;
}

/** Where the clients keep their configuration. Source: the clients' own documentation of July 2026. */
export function clientConfigs(): ClientConfig[] {
  const home = homedir();
  const roaming = join(home, 'AppData', 'Roaming');
  const desktop =
    { darwin: join(home, 'Library', 'Application Support', 'Claude'), win32: join(roaming, 'Claude') }[
      platform() as 'darwin' | 'win32'
    ] ?? join(home, '.config', 'Claude');
  const code = join(home, '.claude.json');
  return [
    { client: 'Claude Desktop', file: join(desktop, 'claude_desktop_config.json'), found: existsSync(desktop) },
    { client: 'Claude Code', file: code, found: existsSync(code) || existsSync(join(home, '.claude')) },
  ];
}
