import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from './support/program.ts';
import { temporaryDirectory } from './support/temporary.ts';

const STEPS = [
  'The management side registers the members and designs the flow',
  'Alice puts a record with a real file into the first phase',
  'Bob reads the record and the file back',
  'Carol is not in the first phase: she is refused by every way she has',
  'The first phase is handed over to the second: carol sees that and only that',
  'Bob is removed from the second phase while it runs',
  'A dossier of the phase is verified offline, with every node stopped',
];
const FILE_BYTES = 3 * 1024 * 1024;

describe('the guided tour', () => {
  const cwd = temporaryDirectory();
  const demo = (...words: string[]) => run(['devnet', '--demo', ...words], { cwd, timeoutMs: 170_000 });

  function expectTour({ code, stdout, stderr }: Awaited<ReturnType<typeof demo>>): void {
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    const titles = [...stdout.matchAll(/^(\d+)\. (.+)$/gm)];
    expect(titles.map(match => match[2])).toEqual(STEPS);
    expect(titles.map(match => Number(match[1]))).toEqual(STEPS.map((_, index) => index + 1));
    expect(stdout).toMatch(/committed by PBFT at height \d+, transaction [0-9a-f]{64}/);
    expect(stdout).toMatch(/CID \w+, 2 of 2 copies/);
    expect(stdout).toContain('the demo passed: every step held');
  }

  it('shows the main job with a file of three mebibytes', async () => {
    const file = join(cwd, 'plan.bin');
    writeFileSync(file, randomBytes(FILE_BYTES));
    expectTour(await demo('--dir', 'kept', '--file', 'plan.bin'));
  });

  it('passes again on the kept chain', async () => {
    const again = await demo('--dir', 'kept');
    expectTour(again);
    expect(again.stdout).toContain('Building permit 2');
  });

  it('fails loudly when it cannot be told', async () => {
    const { code, stdout, stderr } = await demo('--participants', '2');
    expect(code).toBe(2);
    expect(stderr).toContain('the demo needs alice, bob and carol');
    expect(stdout).not.toContain('the demo passed');
  });

  it('fails loudly when the file is not there, before anything is started', async () => {
    const { code, stderr } = await demo('--file', 'nowhere.bin');
    expect(code).toBe(2);
    expect(stderr).toContain('nowhere.bin');
  });
});
