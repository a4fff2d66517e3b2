// npm run scenarios [-- --write | --rewrite]: which tests name which line of the catalogue of faults and attacks.
// --write makes docs/scenarios.md anew; --rewrite writes what happens now into the transcripts of test/scenarios.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './lib.mjs';

export const PAGE = 'docs/scenarios.md';

/** The first argument of `it`, `describe` and what `.each(…)` answers, and a row of a table that begins with a number. */
const TITLE =
  /(?:(?:\b(?:it|describe|test)|\))\s*\(\s*|(?=['"`](?:\[\d{1,2}\]\s*)+[^\s'"`]))(['"`])((?:\\.|(?!\1)[^\\])*)\1\s*,/gs;
const TAG = /\[(\d{1,2})\]\s*/g;

function filesBelow(dir) {
  return readdirSync(dir, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(entry => {
      const path = join(dir, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    });
}

/** Numbers that a file speaks of, each with a title: of its tests, or of the transcript that it is. */
function namedIn(path) {
  const text = readFileSync(path, 'utf8');
  const file = relative(root, path);
  if (file.startsWith('test/scenarios/') && file.endsWith('.txt')) {
    const numbers = /\/((?:\d+-)+)[^/]*$/.exec(file)?.[1].split('-').filter(Boolean).map(Number) ?? [];
    return numbers.map(number => ({ number, title: text.split('\n')[0].replace(/^# /, '') }));
  }
  if (!file.endsWith('.ts')) return [];
  return [...text.matchAll(TITLE)].flatMap(([, , title]) => {
    const numbers = [...title.matchAll(TAG)].map(([, number]) => Number(number));
    const said = title.replace(TAG, '').replaceAll("\\'", "'").trim();
    return [...new Set(numbers)].map(number => ({ number, title: said }));
  });
}

/** Tests by number, in the order of files and titles. */
export function testsByNumber() {
  const found = new Map();
  for (const path of filesBelow(join(root, 'test'))) {
    for (const { number, title } of namedIn(path)) {
      const tests = found.get(number) ?? [];
      tests.push({ title, path: relative(root, path) });
      found.set(number, tests);
    }
  }
  return found;
}

export function readCatalogue() {
  return JSON.parse(readFileSync(join(root, 'test/scenarios/catalogue.json'), 'utf8'));
}

function lineOf({ asks, also, open, room, number }, tests) {
  const lines = [`**${number}.** ${asks}`, ''];
  for (const { title, path } of tests) lines.push(`- \`${path}\`: ${title}`);
  if (also !== undefined) lines.push(`- ${also}`);
  if (room !== undefined) lines.push(`- No transcript: this is of ${room}.`);
  if (tests.length === 0 && also === undefined) lines.push(`- No test. ${open ?? 'No reason is given.'}`);
  else if (open !== undefined) lines.push(`- Open: ${open}`);
  return [...lines, ''];
}

/** The page as it should be for the tests that are there. */
export function page(sections = readCatalogue(), found = testsByNumber()) {
  const all = sections.flatMap(({ lines }) => lines);
  const covered = all.filter(({ number, also }) => found.has(number) || also !== undefined).length;
  const text = [
    '# Scenarios: faults and attacks, and the tests that name them',
    '',
    'The faults and attacks that systems of this kind meet, and what must be seen then. A test that covers a line names its',
    'number in its title, as `[75]`; a transcript in `test/scenarios` in its file name. This page is made from them:',
    '`npm run scenarios -- --write`. The properties that hold in every step of every simulated run are checked besides',
    '(`test/simulation/checker.ts`), and `npm run mutants` checks the checker.',
    '',
    `${covered} of ${all.length} lines have a test.`,
    '',
  ];
  for (const { section, lines } of sections) {
    text.push(`## ${section}`, '');
    for (const line of lines) text.push(...lineOf(line, found.get(line.number) ?? []));
  }
  return `${text.join('\n').trimEnd()}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--rewrite')) {
    const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'test/scenarios/transcripts.test.ts'];
    const env = { ...process.env, PHASELINE_REWRITE: '1' };
    process.exitCode = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status ?? 1;
  } else if (process.argv.includes('--write')) writeFileSync(join(root, PAGE), page());
  else process.stdout.write(page());
}
