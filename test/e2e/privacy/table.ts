import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PAGE = fileURLToPath(new URL('../../../docs/privacy.md', import.meta.url));

/** What a cell of docs/privacy.md may say. `past`: of the time before the removal; `bucket`: rounded up. */
export const VERDICTS = ['yes', 'no', 'past', 'bucket'] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface Cell {
  readonly actor: string;
  readonly thing: string;
  readonly verdict: Verdict;
}

const cellsOf = (line: string) =>
  line
    .split('|')
    .slice(1, -1)
    .map(text => text.replace(/\[[\d, ]+\]/g, '').trim());

/** Every cell of the table of docs/privacy.md, so that the page cannot say anything else than what the tests see. */
export function readTable(): Cell[] {
  const lines = readFileSync(PAGE, 'utf8').split('\n');
  const first = lines.findIndex(line => line.startsWith('| actor |'));
  const things = cellsOf(lines[first]!).slice(1);
  const table: Cell[] = [];
  for (let at = first + 2; lines[at]!.startsWith('|'); at += 1) {
    const [actor, ...said] = cellsOf(lines[at]!);
    for (const [index, thing] of things.entries()) {
      const verdict = VERDICTS.find(word => word === said[index]);
      if (verdict === undefined) throw new Error(`${actor}, ${thing}: "${said[index]}" is no verdict`);
      table.push({ actor: actor!, thing, verdict });
    }
  }
  return table;
}
