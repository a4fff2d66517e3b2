import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PAGE, page, readCatalogue, testsByNumber } from '../../scripts/scenarios.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
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

  it('gives a reason for every line without a test', () => {
    const unexplained = sections
      .flatMap(({ lines }) => lines)
      .filter(({ number, also, open }) => !found.has(number) && also === undefined && open === undefined);
    expect(unexplained).toEqual([]);
  });
});
