import { readFileSync } from 'node:fs';
import type { Judged } from './corpus.js';

interface Turn {
  speaker: string;
  dia_id: string;
  text: string;
  blip_caption?: string;
}
interface Sample {
  sample_id: string;
  qa: { question: string; category: number; evidence: string[] }[];
  conversation: Record<string, string | Turn[]>;
}

const CATEGORIES = ['', 'multi-hop', 'temporal', 'open-domain', 'single-hop'];

/**
 * `locomo10.json` of snap-research/locomo: one session is one document, one turn one paragraph, one conversation one
 * project. A question's relevant documents are the sessions of its evidence turns; questions of category 5 have no
 * answer and are left out, like the four whose evidence names no turn. An image's caption is told as the original
 * readers tell it.
 */
export function readLocomo(path: string, captions = true): Judged {
  const judged: Judged = { documents: [], queries: [] };
  for (const sample of JSON.parse(readFileSync(path, 'utf8')) as Sample[]) {
    const turns = new Map<string, { document: string; text: string }>();
    for (const [key, session] of Object.entries(sample.conversation)) {
      if (!Array.isArray(session)) continue;
      const id = `${sample.sample_id}/${key}`;
      const paragraphs = session.map((turn) => {
        const shared = captions && turn.blip_caption ? ` and shared ${turn.blip_caption}.` : '';
        turns.set(turn.dia_id, { document: id, text: turn.text });
        return `**${turn.speaker}:** ${turn.text}${shared}`;
      });
      const { speaker_a: a, speaker_b: b } = sample.conversation;
      judged.documents.push({
        id,
        title: `${a} and ${b}, ${key.replace('_', ' ')}`,
        text: paragraphs.join('\n\n'),
        date: isoTime(sample.conversation[`${key}_date_time`] as string),
        project: sample.sample_id,
      });
    }
    for (const { question, category, evidence } of sample.qa) {
      if (category === 5) continue;
      const found = evidence
        .flatMap((each) => each.split(/[;,\s]+/))
        .flatMap((each) => turns.get(each.replace(/:0+/, ':')) ?? []);
      if (found.length === 0) continue;
      judged.queries.push({
        query: question,
        relevant: [...new Set(found.map(({ document }) => document))],
        project: sample.sample_id,
        kind: CATEGORIES[category],
        evidence: found.map(({ text }) => text),
      });
    }
  }
  return judged;
}

/** `1:56 pm on 8 May, 2023` */
function isoTime(text: string): string {
  const [, hour, minute, half, day, month, year] =
    /^(\d+):(\d+) (am|pm) on (\d+) (\w+), (\d+)$/.exec(text.trim()) ?? [];
  const time = new Date(`${day} ${month} ${year} 00:00 UTC`);
  time.setUTCHours((Number(hour) % 12) + (half === 'pm' ? 12 : 0), Number(minute));
  return time.toISOString();
}
