export interface Prompt {
  name: string;
  title: string;
  description: string;
  arguments: { name: string; description: string; required: boolean }[];
  /** The operation whose answer is put into it; empty: none. */
  brings: string;
  text: string;
}

const project = { name: 'project', description: 'owner/repo; default: where you work', required: false };

export const PROMPTS: readonly Prompt[] = [
  {
    name: 'resume',
    title: 'Resume a project',
    description: 'Where the project stands and what comes next.',
    arguments: [project],
    brings: 'load_context',
    text: 'We go on with this project. Below is what memory holds. Say in a few lines where it stands, what was decided, and which open step you propose to take first; then wait for my answer.',
  },
  {
    name: 'close_session',
    title: 'Close the session',
    description: 'Save what this session did, decided and left open.',
    arguments: [project],
    brings: '',
    text: 'We stop here. Save this session with save_session: a title that says what it was about, content in Markdown with what was done and found, decisions with their reasons, next_steps concrete enough to start from. Leave out secrets and what the code itself says. Show me the receipt; only "saved" means saved.',
  },
  {
    name: 'weekly_review',
    title: 'Weekly review',
    description: 'What the last seven days brought, across projects.',
    arguments: [project],
    brings: 'weekly_review',
    text: 'Below is what memory holds of the last seven days. Tell me in short: what was finished and what was decided, by project; which open steps have waited too long, and whether to do, to hand over or to drop them; what contradicts itself or is unconfirmed. Read a note with read_memory only where a line leaves a question. Then propose the three next steps worth most. Of the candidates for patterns name those that would help next time, in one sentence each. Save nothing until I agree: then save_pattern with their evidence, update_project, or a note with `- [x] #number` for steps that are done with.',
  },
];

export function promptText(prompt: Prompt, project: string | undefined, brought: string): string {
  return [prompt.text, project === undefined ? '' : `Project: ${project}`, brought]
    .filter((part) => part !== '')
    .join('\n\n');
}
