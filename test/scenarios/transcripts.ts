import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Commands } from './commands.ts';

const RULE = '----';

export interface Transcript {
  readonly file: string;
  /** Lines of the catalogue, from the file's name: `38-39-name.txt`. */
  readonly numbers: readonly number[];
  /** The first line, without the mark of a comment. */
  readonly title: string;
  readonly text: string;
}

/** @param dir the folder of the transcripts */
export function transcripts(dir: string): Transcript[] {
  return readdirSync(dir)
    .filter(file => file.endsWith('.txt'))
    .sort()
    .map(file => {
      const text = readFileSync(join(dir, file), 'utf8');
      const numbers =
        /^(\d+-)+/
          .exec(file)?.[0]
          .split('-')
          .filter(part => part !== '')
          .map(Number) ?? [];
      return { file, numbers, title: (text.split('\n')[0] ?? '').replace(/^#\s*/, ''), text };
    });
}

/** Runs the commands and puts what happens below each: comments and blank lines stay as they are. */
export function play(text: string): string {
  const commands = new Commands();
  const out: string[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at]!;
    if (line === RULE) {
      // The output that stands there ends with a blank line; it is made anew.
      while (at + 1 < lines.length && lines[at + 1] !== '') at += 1;
      continue;
    }
    out.push(line);
    if (line === '' || line.startsWith('#')) continue;
    const said = commands.run(line);
    const isLastOfGroup = lines[at + 1] === RULE || lines[at + 1] === '' || lines[at + 1] === undefined;
    if (isLastOfGroup || said[0] !== 'nothing') out.push(RULE, ...said);
    if (lines[at + 1] !== RULE && lines[at + 1] !== '' && said[0] !== 'nothing') out.push('');
  }
  return out.join('\n');
}

export function rewrite(dir: string, { file, text }: Transcript): void {
  writeFileSync(join(dir, file), play(text));
}
