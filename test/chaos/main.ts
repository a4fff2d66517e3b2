import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureFailover, slowerThan } from './failover.ts';
import { History } from './history/history.ts';
import { NEMESES } from './nemeses/index.ts';
import { type Nemesis, Stage, seconds, shapeOf } from './nemeses/stage.ts';
import { ChaosNetwork } from './network/network.ts';
import { findNemeses, makePlan, type Plan } from './plan.ts';
import {
  checkTable,
  distribution,
  failureTable,
  type Outcome,
  resultsDocument,
  stepTable,
} from './report.ts';
import { checkAtEnd, runStep, type StepResult, startLoad } from './run.ts';

const USAGE = `npm run chaos -- [options]

  --minutes M        length of the run, about (default 3)
  --seed N           the plan (default: drawn)
  --nemesis a,b      only these (default: all)
  --nodes N          consensus nodes (default 4)
  --participants N   members with a node of their own, 1 to 4 (default 3)
  --require-all      fail at once when a fault would be left out: the machine cannot do it, or the run is too short
  --keep             keep the directory also when all is well
  --results FILE     write the results as JSON
  --program FILE     another build's cli/main.js

  --measure failover --kills K [--burst B] [--at-most MS]
                     kill the leader K times, with the next B - 1 leaders, and tell how long nothing is written;
                     fail when the first write made after a kill was acknowledged later than MS after it

nemeses:
${NEMESES.map(({ name, title }) => `  ${name.padEnd(17)}${title}`).join('\n')}`;

/** What one step and the recovery from it take on average, in seconds. */
const STEP_SECONDS = 13;
const START_AND_END_SECONDS = 25;

const options = {
  minutes: { type: 'string', default: '3' },
  seed: { type: 'string' },
  nemesis: { type: 'string' },
  nodes: { type: 'string', default: '4' },
  participants: { type: 'string', default: '3' },
  'require-all': { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
  results: { type: 'string' },
  program: { type: 'string' },
  measure: { type: 'string' },
  kills: { type: 'string', default: '20' },
  burst: { type: 'string', default: '1' },
  'at-most': { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

class UsageError extends Error {}

function numberOf(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text !== '' && value >= least && value <= most) return value;
  throw new UsageError(`--${name} is a number from ${least} to ${most}, not "${text}"`);
}

function nemesesOf(names: string): readonly Nemesis[] {
  try {
    return findNemeses(names.split(','));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readArguments() {
  let values: ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];
  try {
    values = parseArgs({ options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (values.measure !== undefined && values.measure !== 'failover')
    throw new UsageError('--measure knows failover');
  const atMost = values['at-most'];
  if (atMost !== undefined && values.measure === undefined)
    throw new UsageError('--at-most belongs to --measure failover');
  const seed = values.seed ?? String(Math.floor(Math.random() * 1_000_000));
  const consensus = numberOf('nodes', values.nodes, 4, 16);
  return {
    ...{ help: values.help, keep: values.keep, results: values.results, measure: values.measure, consensus },
    ...{ requireAll: values['require-all'], program: values.program ?? '' },
    minutes: numberOf('minutes', values.minutes, 0.5, 1_440),
    seed: numberOf('seed', seed, 0, 2 ** 31 - 1),
    nemeses: values.nemesis === undefined ? NEMESES : nemesesOf(values.nemesis),
    participants: numberOf('participants', values.participants, 1, 4),
    kills: numberOf('kills', values.kills, 1, 10_000),
    burst: numberOf('burst', values.burst, 1, Math.floor((consensus - 1) / 3)),
    atMostMs: atMost === undefined ? Number.POSITIVE_INFINITY : numberOf('at-most', atMost, 1, 600_000),
  };
}

type Arguments = ReturnType<typeof readArguments>;

const startedMs = performance.now();
const say = (line: string) => console.log(`${seconds(performance.now() - startedMs).padStart(8)}  ${line}`);

async function runPlan(stage: Stage, { steps, leftOut }: Plan): Promise<readonly Outcome[]> {
  const { load, phases } = await startLoad(stage, { writersPerNode: 3, thinkMs: 25, readEveryMs: 200 });
  const results: StepResult[] = [];
  try {
    for (const [index, step] of steps.entries()) {
      say(`${index + 1}/${steps.length} ${step.nemesis.name}: ${step.fault.words}`);
      const result = await runStep(stage, step);
      results.push(result);
      const remark = result.remark === null ? '' : `; ${result.remark}`;
      say(`  recovered in ${seconds(result.recoveredMs)}, longest gap ${seconds(result.gapMs)}${remark}`);
      if (result.fault === null) continue;
      say(`  FAILED: ${result.fault}`);
      break;
    }
  } finally {
    await load.stop();
  }
  const checks = await checkAtEnd(stage, phases);
  console.log(
    `\n${stepTable(results, leftOut)}\n\n${failureTable(stage.history)}\n\n${checkTable(checks)}\n`,
  );
  for (const { name, fault } of checks) if (fault?.includes('\n')) console.log(`${name}:\n${fault}\n`);
  return [
    ...results.map(({ nemesis, words, fault }) => ({ name: `${nemesis}: ${words}`, fault })),
    ...checks,
  ];
}

async function runMeasure(stage: Stage, { kills, burst, atMostMs }: Arguments): Promise<readonly Outcome[]> {
  const found = await measureFailover(stage, { kills, burst });
  console.log(
    `\n${distribution(
      'longest time without an acknowledged write',
      found.map(entry => entry.gapMs),
    )}`,
  );
  console.log(
    distribution(
      'first write of after the kill acknowledged',
      found.map(entry => entry.firstMs),
    ),
  );
  const fault = slowerThan(found, atMostMs);
  if (fault !== null) console.log(`FAILED: ${fault}`);
  return [{ name: 'measure failover', fault }];
}

/** The faults of a run, and whether they are all that were asked for. */
async function planOf(network: ChaosNetwork, given: Arguments): Promise<Plan> {
  const { consensus, minutes, nemeses, seed } = given;
  const names = network.participants.map(node => node.name);
  const count = Math.max(1, Math.floor((minutes * 60 - START_AND_END_SECONDS) / STEP_SECONDS));
  const plan = await makePlan(seed, shapeOf(consensus, names), nemeses, count);
  console.log(`\nthe plan of seed ${seed}:`);
  for (const [index, { nemesis, fault }] of plan.steps.entries())
    console.log(`  ${index + 1}. ${nemesis.name}: ${fault.words}`);
  for (const { name, reason } of plan.leftOut) console.log(`  left out: ${name}: ${reason}`);
  console.log('');
  return plan;
}

async function runAll(network: ChaosNetwork, given: Arguments, signal: AbortSignal) {
  const stage = new Stage(network, new History(), say, signal);
  const isMeasure = given.measure !== undefined;
  const plan = isMeasure ? null : await planOf(network, given);
  const missing = given.requireAll ? (plan?.leftOut ?? []) : [];
  if (missing.length > 0) {
    say(`FAILED: left out, and all were required: ${missing.map(({ name }) => name).join(', ')}`);
    return missing.map(({ name, reason }) => ({ name, fault: `left out: ${reason}` }));
  }
  await network.start();
  say('every node is ready');
  return plan === null ? runMeasure(stage, given) : runPlan(stage, plan);
}

async function chaos(given: Arguments, dir: string, signal: AbortSignal): Promise<boolean> {
  const { consensus, participants, program, seed } = given;
  say(`${consensus} consensus nodes, ${participants} members; directory ${dir}`);
  const network = await ChaosNetwork.create({ dir, program, seed, consensus, participants });
  // calls that wait for a node end with it
  signal.addEventListener('abort', () => void network.destroy());
  try {
    const outcomes = await runAll(network, given, signal);
    if (given.results !== undefined) await writeFile(given.results, resultsDocument(outcomes));
    const failed = outcomes.filter(({ fault }) => fault !== null).length;
    console.log(`${outcomes.length - failed} passed, ${failed} failed`);
    return failed === 0;
  } finally {
    await network.destroy();
  }
}

async function main(): Promise<number> {
  const given = readArguments();
  if (given.help) {
    console.log(USAGE);
    return 0;
  }
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => stop.abort(new Error('stopped')));
  const dir = await mkdtemp(join(tmpdir(), 'phaseline-chaos-'));
  let well = false;
  try {
    well = await chaos(given, dir, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.log('stopped');
    return 130;
  } finally {
    if ((well && !given.keep) || stop.signal.aborted) await rm(dir, { recursive: true, force: true });
    else console.log(`kept ${dir}: one directory a node, its log in node.log. Again: --seed ${given.seed}`);
  }
  return well ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) console.error(`${error.message}\n\n${USAGE}`);
  else console.error(error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
