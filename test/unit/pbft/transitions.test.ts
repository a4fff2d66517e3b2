import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MESSAGE_KINDS } from '../../../src/core/pbft/messages.ts';
import { STATES, take } from './transitions.ts';

const path = join(import.meta.dirname, 'transitions.txt');
const lines = readFileSync(path, 'utf8').split('\n');
const cells = (line: string) =>
  line
    .split('|')
    .map(cell => cell.trim())
    .slice(1, -1);
const isRow = (line: string) =>
  line.startsWith('| ') && !line.startsWith('| state ') && !line.startsWith('| --- ');

interface Row {
  readonly state: string;
  readonly input: string;
  readonly effects: string;
  readonly after: string;
}

function rowOf(line: string): Row {
  const [state = '', input = '', effects = '', after = ''] = cells(line);
  return { state, input, effects, after };
}

// After a change of the protocol: `PHASELINE_UPDATE_TABLE=1 npx vitest run test/unit/pbft/transitions.test.ts`, then read the diff.
if (process.env.PHASELINE_UPDATE_TABLE !== undefined) {
  const written = lines.map(line => {
    if (!isRow(line)) return line;
    const { state, input } = rowOf(line);
    const { effects, after } = take(state, input);
    return `| ${state} | ${input} | ${effects} | ${after} |`;
  });
  writeFileSync(path, written.join('\n'));
}

const rows = readFileSync(path, 'utf8').split('\n').filter(isRow).map(rowOf);

describe('every transition of the engine', () => {
  it.each(rows)('$state: $input', ({ state, input, effects, after }) => {
    expect(take(state, input)).toEqual({ effects, after });
  });
});

/** The states in which everything is tried: active or waiting, as primary, replica or observer, and stopped. */
const CORNERS = ['primary', 'replica', 'observer', 'waiting primary', 'waiting replica', 'halted'];
const INPUTS = [
  ...['start', 'otherSet', 'connected', 'timer', 'persisted', 'pending', 'built', 'buildEmpty'],
  ...['executed', 'committed', 'synced', 'fetched', 'complain', 'unreachable'],
];
const EFFECTS = [
  ...['persist', 'trim', 'send', 'setTimer', 'cancelTimer', 'build', 'execute', 'commit', 'discard'],
  ...['returnToPool', 'sync', 'fetchBlock', 'fetchNewView', 'archive', 'evidence', 'halt'],
];

describe('the table', () => {
  const firstWord = (words: string) => words.split(' ')[0];

  it.each(CORNERS)('has every kind of input and of message for: %s', state => {
    const given = new Set(rows.filter(row => row.state === state).map(row => firstWord(row.input)));
    const kinds = [...INPUTS, ...Object.keys(MESSAGE_KINDS)].filter(kind => kind !== 'persisted');
    expect(kinds.filter(kind => !given.has(kind))).toEqual([]);
  });

  it('has every kind of effect', () => {
    const all = rows.map(({ effects }) => effects).join('; ');
    expect(EFFECTS.filter(kind => !new RegExp(`(^|; |\\()${kind}( |;|$)`).test(all))).toEqual([]);
  });

  it('has every reason to halt that the engine gives', () => {
    const dir = join(import.meta.dirname, '../../../src/core/pbft');
    const sources = readdirSync(dir).map(file => readFileSync(join(dir, file), 'utf8'));
    const given = sources.flatMap(text => [...text.matchAll(/\bhalt\(engine, [^\n]*?, ['`]([^'`$]+)/g)]);
    const reasons = [...new Set(given.map(([, reason = '']) => reason))];
    expect(reasons.length).toBeGreaterThan(4);
    const halts = rows.map(({ effects }) => effects).filter(effects => effects.includes('halt at '));
    expect(reasons.filter(reason => !halts.some(effects => effects.includes(reason)))).toEqual([]);
  });

  it('uses every state, and no row twice', () => {
    const used = new Set(rows.map(({ state }) => state));
    expect(Object.keys(STATES).filter(state => !used.has(state))).toEqual([]);
    const keys = rows.map(({ state, input }) => `${state}: ${input}`);
    expect(new Set(keys).size).toBe(keys.length);
  });
});
