// npm run mutants [-- --quick | --only NAME[,NAME]] [--by simulation|holders|transcripts] [--budget SEEDS]
// [--workers N]: compiles known implementation mistakes in,
// one at a time and in memory only, and reports whether the simulator or the named tests catch each. Exit 1 when one is not.
// In brackets: seeds within which the simulator catches it too; `--by simulation` hunts all that have such a budget.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { generateWire, install, optionsOf, root } from './lib.mjs';

/** A guard of this program only: a hang counts as caught when the simulator's own bounds report it. */
const TIME_LIMIT_MS = 600_000;
/** Simulated time of faults in each seed. */
const FAULTS_MS = 5000;

const options = optionsOf(
  'npm run mutants -- [--quick] [--only NAME] [--by KIND] [--budget N] [--workers N]',
  {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    budget: { type: 'string' },
    by: { type: 'string' },
    workers: { type: 'string', default: '1' },
  },
);

install();
await generateWire();
const esbuild = await import('esbuild');
// Below the checkout, so that what stays outside of the bundles is found.
mkdirSync(join(root, 'node_modules/.phaseline'), { recursive: true });
const dir = mkdtempSync(join(root, 'node_modules/.phaseline/mutants-'));

async function bundle(entry, name, plugins = []) {
  const outfile = join(dir, `${name}.mjs`);
  await esbuild.build({
    entryPoints: [join(root, entry)],
    outfile,
    plugins,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'silent',
  });
  return outfile;
}

const load = async (entry, name) => import(pathToFileURL(await bundle(entry, name)).href);

/** @param seedsOf budget of the simulator, null for none */
function chosen(mutants, seedsOf) {
  const names = options.only?.split(',');
  const unknown = names?.filter(name => !mutants.some(mutant => mutant.name === name)) ?? [];
  if (unknown.length > 0) {
    console.error(`mutants: no mutant is called ${unknown.join(', ')}; they stand in test/mutants/`);
    process.exit(2);
  }
  const isMeant = mutant => {
    if (names !== undefined) return names.includes(mutant.name);
    if (options.by === 'simulation') return seedsOf(mutant) !== null;
    return options.by === undefined || mutant.caughtBy === options.by;
  };
  return mutants.filter(mutant => isMeant(mutant) && (!options.quick || mutant.quick));
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** Ends with the program, or at the time limit: then it is true. */
function runNode(args, env) {
  return new Promise(resolve => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: 'ignore',
      env: { ...process.env, ...env },
    });
    let timedOut = false;
    const guard = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, TIME_LIMIT_MS);
    child.on('close', () => {
      clearTimeout(guard);
      resolve(timedOut);
    });
  });
}

// Names that a module does not have are a mistake in the mutant, not one that was caught.
const isBroken = what => /ReferenceError|SyntaxError|is not defined/.test(what);

/** A program of test/mutants with the mistake compiled in; what it found. */
async function runBundle(entry, mutant, plugin, args) {
  const report = join(dir, `${mutant.name}.json`);
  const program = await bundle(entry, mutant.name, [plugin]);
  const timedOut = await runNode([program, report, ...args], {});
  const found = readJson(report);
  const seeds = found?.seeds ?? '?';
  if (timedOut) return { verdict: 'SURVIVED', by: `no verdict within ${TIME_LIMIT_MS / 1000} s`, seeds };
  if (found === null) return { verdict: 'BROKEN', by: 'its bundle does not run', seeds };
  if (found.message === null) return { verdict: 'SURVIVED', by: '', seeds };
  return { verdict: isBroken(found.message) ? 'BROKEN' : 'caught', by: found.message, seeds };
}

/** @param kind `simulation` or `holders` */
async function hunt(kind, mutant, plugin, defaultBudget) {
  const budget = Number(options.budget ?? mutant.seeds ?? defaultBudget);
  const args = [kind, String(budget), String(FAULTS_MS)];
  const found = await runBundle('test/mutants/hunt.ts', mutant, plugin, args);
  return { ...found, seeds: `${found.seeds}/${budget}` };
}

async function replay(mutant, plugin) {
  const found = await runBundle('test/mutants/replay.ts', mutant, plugin, []);
  return { ...found, seeds: '' };
}

/** The first test that failed; a file that could not be run is none. */
function firstFailure(results) {
  for (const { assertionResults, message } of results?.testResults ?? []) {
    const failed = assertionResults.find(({ status }) => status === 'failed');
    if (failed !== undefined) return { title: failed.title, message: failed.failureMessages[0] ?? '' };
    if (assertionResults.length === 0) return { title: null, message: message ?? '' };
  }
  return (results?.numTotalTests ?? 0) > 0 ? null : { title: null, message: 'no test was run' };
}

async function test(mutant) {
  const report = join(dir, `${mutant.name}.json`);
  const args = ['run', '--config', 'test/mutants/vitest.config.ts', '--reporter=json'];
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const timedOut = await runNode([vitest, ...args, `--outputFile=${report}`, ...mutant.caughtBy], {
    PHASELINE_MUTANT: mutant.name,
  });
  if (timedOut) return { verdict: 'SURVIVED', by: `no verdict within ${TIME_LIMIT_MS / 1000} s`, seeds: '' };
  const failure = firstFailure(readJson(report));
  if (failure === null) return { verdict: 'SURVIVED', by: '', seeds: '' };
  if (failure.title === null || isBroken(failure.message))
    return { verdict: 'BROKEN', by: failure.message.split('\n')[0], seeds: '' };
  return { verdict: 'caught', by: failure.title, seeds: '' };
}

/** What catches a mistake must not complain of the source as it is, over as many seeds as any of the mistakes has. */
async function isClean(queue, defaultBudget, bundlePlugin) {
  const nothing = { name: 'nothing', file: 'core/quorum/quorum.ts', find: 'import', replace: 'import' };
  const plugin = bundlePlugin(root, nothing);
  const started = Date.now();
  let found = await replay(nothing, plugin);
  for (const kind of ['simulation', 'holders']) {
    const budgets = queue
      .filter(({ caughtBy }) => (options.by ?? caughtBy) === kind)
      .map(({ seeds }) => seeds ?? defaultBudget);
    if (found.verdict === 'SURVIVED' && found.by === '' && budgets.length > 0)
      found = await hunt(kind, nothing, plugin, Math.max(...budgets));
  }
  const isFree = found.verdict === 'SURVIVED' && found.by === '';
  const seconds = (Date.now() - started) / 1000;
  console.log(
    line({ name: '(the source as it is)', ...found, verdict: isFree ? 'clean' : 'FAILS', seconds }),
  );
  return isFree;
}

function line({ name, verdict, by, seeds, seconds }) {
  const said = by.replace(/^(files, )?seed \d+: /, '').slice(0, 100);
  return `${name.padEnd(46)} ${verdict.padEnd(8)} ${seeds.padStart(7)} ${seconds.toFixed(1).padStart(6)} s  ${said}`;
}

const results = [];
let total = 0;
let simulated = 0;
let clean = false;
try {
  const { mutants } = await load('test/mutants/list.ts', 'list');
  const { SEED_BUDGET, seedsOf } = await load('test/mutants/mutant.ts', 'mutant');
  const { bundlePlugin } = await load('test/mutants/plugin.ts', 'plugin');
  const queue = chosen(mutants, seedsOf);
  total = queue.length;
  simulated = queue.filter(mutant => seedsOf(mutant) !== null).length;
  console.log(`${'mutant'.padEnd(46)} ${'verdict'.padEnd(8)} ${'seeds'.padStart(7)}     time  caught by`);
  clean = await isClean(queue, SEED_BUDGET, bundlePlugin);
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const started = Date.now();
      const plugin = bundlePlugin(root, next);
      const runs = {
        simulation: () => hunt('simulation', next, plugin, SEED_BUDGET),
        holders: () => hunt('holders', next, plugin, SEED_BUDGET),
        transcripts: () => replay(next, plugin),
      };
      const found = await (runs[options.by ?? next.caughtBy] ?? (() => test(next)))();
      if (found.seeds === '' && next.seeds !== undefined) found.seeds = `(${next.seeds})`;
      const result = { name: next.name, ...found, seconds: (Date.now() - started) / 1000 };
      results.push(result);
      console.log(line(result));
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Number(options.workers)) }, work));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
const missed = results.filter(({ verdict }) => verdict !== 'caught').map(({ name }) => name);
console.log(
  `${total - missed.length} of ${total} mutants caught; ${simulated} have a budget of seeds of the simulator`,
);
if (missed.length > 0) console.log(`not caught: ${missed.join(', ')}`);
process.exitCode = clean && missed.length === 0 && results.length === total ? 0 : 1;
