import { writeFileSync } from 'node:fs';
import { play, transcripts } from '../scenarios/transcripts.ts';

/** Bundled and run by `scripts/mutants.mjs`: the transcripts one after the other until one reads otherwise. */
const [report = ''] = process.argv.slice(2);

function differs(text: string): string | null {
  try {
    return play(text) === text ? null : '';
  } catch (error) {
    return (error as Error).message;
  }
}

function replay(): string | null {
  for (const { file, text } of transcripts('test/scenarios')) {
    const fault = differs(text);
    if (fault !== null) return fault === '' ? file : `${file}: ${fault}`;
  }
  return null;
}

writeFileSync(report, JSON.stringify({ message: replay() }));
