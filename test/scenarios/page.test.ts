import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PAGE, page, readCatalogue, testsByNumber } from '../../scripts/scenarios.mjs';
import { transcripts } from './transcripts.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
/** From the normal case to clocks; then come proofs, and who may read what. */
const CONSENSUS_SECTIONS = 8;
const sections = readCatalogue();
const found = testsByNumber();

describe('docs/scenarios.md', () => {
  it('is what `npm run scenarios -- --write` makes of the tests that are there', () => {
    expect(readFileSync(join(root, PAGE), 'utf8')).toBe(page(sections, found));
  });

  it('has every line of the catalogue once, and no test names another', () => {
    const numbers = sections.flatMap(({ lines }) => lines.map(({ number }) => number));
    expect(numbers).toEqual(Array.from({ length: 97 }, (_, index) => index + 1));
    expect([...found.keys()].filter(number => !numbers.includes(number))).toEqual([]);
  });

  it('has a transcript of the engine for every line on consensus, or says whose it is', () => {
    const transcribed = new Set(transcripts(join(root, 'test/scenarios')).flatMap(({ numbers }) => numbers));
    const lines = sections.slice(0, CONSENSUS_SECTIONS).flatMap(section => section.lines);
    const either = lines.filter(({ number, room }) => transcribed.has(number) !== (room === undefined));
    expect(either.map(({ number }) => number)).toEqual([]);
  });

  it('gives a reason for every line without a test', () => {
    const unexplained = sections
      .flatMap(({ lines }) => lines)
      .filter(({ number, also, open }) => !found.has(number) && also === undefined && open === undefined);
    expect(unexplained).toEqual([]);
  });
});
