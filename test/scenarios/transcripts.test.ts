import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { play, rewrite, transcripts } from './transcripts.ts';

const dir = dirname(fileURLToPath(import.meta.url));
/** `npm run scenarios -- --rewrite` writes what happens now into the files; read the difference before it is committed. */
const rewrites = process.env.PHASELINE_REWRITE === '1';

describe('transcripts', () => {
  it.each(
    transcripts(dir).map(transcript => ({ ...transcript, named: transcript.file.replace(/\.txt$/, '') })),
  )('$named', transcript => {
    if (rewrites) rewrite(dir, transcript);
    else expect(play(transcript.text)).toBe(transcript.text);
  });

  it('begin with what they show', () => {
    for (const { text, numbers } of transcripts(dir)) {
      expect(text.startsWith('# ')).toBe(true);
      expect(numbers.length).toBeGreaterThan(0);
    }
  });
});
