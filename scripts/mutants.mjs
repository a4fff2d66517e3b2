// npm run mutants [-- --quick | --only NAME[,NAME]] [--budget SEEDS] [--workers N]: compiles known implementation mistakes in,
// one at a time and in memory only, and reports whether the simulator or the named tests catch each. Exit 1 when one is not.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createViteServer } from 'vitest/node';
import { generateWire, install, root } from './lib.mjs';

/** A guard of this process only: a hang counts as caught when the simulator's own bounds report it. */
const TIME_LIMIT_MS = 300_000;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    budget: { type: 'string' },
    workers: { type: 'string', default: '1' },
  },
});

async function readMutants() {
  const server = await createViteServer({
    configFile: false,
    root,
    logLevel: 'error',
    server: { middlewareMode: true, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true },
  });
  const { mutants } = await server.ssrLoadModule('/test/mutants/list.ts');
  const { SEED_BUDGET } = await server.ssrLoadModule('/test/mutants/mutant.ts');
  await server.close();
  return { mutants, defaultBudget: SEED_BUDGET };
}

function chosen(mutants) {
  const names = options.only?.split(',');
  const unknown = names?.filter(name => !mutants.some(mutant => mutant.name === name)) ?? [];
  if (unknown.length > 0) {
    console.error(`mutants: no mutant is called ${unknown.join(', ')}; they stand in test/mutants/`);
    process.exit(2);
  }
  return mutants.filter(({ name, quick }) => (names?.includes(name) ?? true) && (!options.quick || quick));
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** What the failing tests say; null when none failed. */
function firstFailure(results) {
  for (const { assertionResults, message } of results?.testResults ?? []) {
    const failed = assertionResults.find(({ status }) => status === 'failed');
    if (failed !== undefined) return { title: failed.title, message: failed.failureMessages[0] ?? '' };
    if (assertionResults.length === 0) return { title: null, message: message ?? 'nothing ran' };
  }
  return results === null ? { title: null, message: 'no results' } : null;
}

function verdictOf(mutant, timedOut, hunt, results, budget) {
  const failure = firstFailure(results);
  const what = hunt?.message ?? failure?.message.split('\n')[0] ?? '';
  // A module that does not load, or names that it does not have, is a mistake in the mutant, not one that was caught.
  const isBroken = failure !== null && (failure.title === null || /ReferenceError|SyntaxError/.test(what));
  const seeds = mutant.caughtBy === 'simulation' ? `${hunt?.seeds ?? '?'}/${budget}` : '';
  if (timedOut) return { verdict: 'SURVIVED', by: `no verdict within ${TIME_LIMIT_MS / 1000} s`, seeds };
  if (isBroken) return { verdict: 'BROKEN', by: what, seeds };
  if (failure === null) return { verdict: 'SURVIVED', by: '', seeds };
  if (mutant.caughtBy === 'simulation') return { verdict: 'caught', by: what, seeds };
  return { verdict: 'caught', by: failure.title, seeds };
}

function run(mutant, defaultBudget, dir) {
  const simulated = mutant.caughtBy === 'simulation';
  const budget = Number(options.budget ?? mutant.seedBudget ?? defaultBudget);
  const resultsFile = join(dir, `${mutant.name}.json`);
  const huntFile = join(dir, `${mutant.name}.hunt.json`);
  const files = simulated ? ['test/mutants/hunt.ts'] : mutant.caughtBy;
  const args = ['run', '--config', 'test/mutants/vitest.config.ts', '--reporter=json'];
  const started = Date.now();
  return new Promise(resolve => {
    const child = spawn(
      process.execPath,
      [join(root, 'node_modules/vitest/vitest.mjs'), ...args, `--outputFile=${resultsFile}`, ...files],
      {
        cwd: root,
        stdio: 'ignore',
        env: {
          ...process.env,
          PHASELINE_MUTANT: mutant.name,
          PHASELINE_SEEDS: String(budget),
          PHASELINE_HUNT_REPORT: huntFile,
        },
      },
    );
    let timedOut = false;
    const guard = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, TIME_LIMIT_MS);
    child.on('close', () => {
      clearTimeout(guard);
      const verdict = verdictOf(mutant, timedOut, readJson(huntFile), readJson(resultsFile), budget);
      resolve({ name: mutant.name, ...verdict, seconds: (Date.now() - started) / 1000 });
    });
  });
}

function line({ name, verdict, by, seeds, seconds }) {
  const said = by.replace(/^seed \d+: /, '').slice(0, 100);
  return `${name.padEnd(46)} ${verdict.padEnd(8)} ${seeds.padStart(7)} ${seconds.toFixed(1).padStart(6)} s  ${said}`;
}

install();
await generateWire();
const { mutants, defaultBudget } = await readMutants();
const queue = chosen(mutants);
const total = queue.length;
const dir = mkdtempSync(join(tmpdir(), 'phaseline-mutants-'));
const results = [];
try {
  console.log(
    `${'mutant'.padEnd(46)} ${'verdict'.padEnd(8)} ${'seeds'.padStart(7)} ${'time'.padStart(8)}  caught by`,
  );
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const result = await run(next, defaultBudget, dir);
      results.push(result);
      console.log(line(result));
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Number(options.workers)) }, work));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
const missed = results.filter(({ verdict }) => verdict !== 'caught').map(({ name }) => name);
console.log(`${total - missed.length} of ${total} mutants caught`);
if (missed.length > 0) console.log(`not caught: ${missed.join(', ')}`);
process.exitCode = missed.length > 0 ? 1 : 0;
