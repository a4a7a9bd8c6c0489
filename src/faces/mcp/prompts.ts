export interface Prompt {
  name: string;
  title: string;
  description: string;
  arguments: { name: string; description: string; required: boolean }[];
  /** Whether the project's context is put into it. */
  context: boolean;
  text: string;
}

const project = { name: 'project', description: 'owner/repo; default: where you work', required: false };

export const PROMPTS: readonly Prompt[] = [
  {
    name: 'resume',
    title: 'Resume a project',
    description: 'Where the project stands and what comes next.',
    arguments: [project],
    context: true,
    text: 'We go on with this project. Below is what memory holds. Say in a few lines where it stands, what was decided, and which open step you propose to take first; then wait for my answer.',
  },
  {
    name: 'close_session',
    title: 'Close the session',
    description: 'Save what this session did, decided and left open.',
    arguments: [project],
    context: false,
    text: 'We stop here. Save this session with save_session: a title that says what it was about, content in Markdown with what was done and found, decisions with their reasons, next_steps concrete enough to start from. Leave out secrets and what the code itself says. Show me the receipt; only "saved" means saved.',
  },
  {
    name: 'weekly_review',
    title: 'Weekly review',
    description: 'What the last seven days brought, across projects.',
    arguments: [project],
    context: false,
    text: 'Review the last seven days. Use list_projects and list_sessions (after: seven days ago), read what matters with read_memory, and give me: what was finished, what was decided, what is open and since when, what contradicts itself. Propose the three next steps worth most. Save nothing until I agree.',
  },
];

export function promptText(prompt: Prompt, project: string | undefined, context: string): string {
  return [prompt.text, project === undefined ? '' : `Project: ${project}`, context]
    .filter((part) => part !== '')
    .join('\n\n');
}
