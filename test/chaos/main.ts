import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureFailover } from './failover.ts';
import { History } from './history/history.ts';
import { NEMESES } from './nemeses/index.ts';
import { type Nemesis, Stage, seconds, shapeOf } from './nemeses/stage.ts';
import { ChaosNetwork } from './network/network.ts';
import { drawPlan, findNemeses, type Step } from './plan.ts';
import {
  checkTable,
  distribution,
  failureTable,
  type Outcome,
  resultsDocument,
  stepTable,
} from './report.ts';
import { type Check, checkAtEnd, runStep, type StepResult, startLoad } from './run.ts';

const USAGE = `npm run chaos -- [options]

  --minutes M        length of the run, about (default 3)
  --seed N           the plan (default: drawn)
  --nemesis a,b      only these (default: all)
  --nodes N          consensus nodes (default 4)
  --participants N   members with a node of their own, 1 to 4 (default 3)
  --keep             keep the directory also when all is well
  --results FILE     write the results as JSON
  --program FILE     another build's cli/main.js

  --measure failover --kills K [--burst B]
                     kill the leader K times, with the next B - 1 leaders, and tell how long nothing is written

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
  keep: { type: 'boolean', default: false },
  results: { type: 'string' },
  program: { type: 'string' },
  measure: { type: 'string' },
  kills: { type: 'string', default: '20' },
  burst: { type: 'string', default: '1' },
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
  const seed = values.seed ?? String(Math.floor(Math.random() * 1_000_000));
  const consensus = numberOf('nodes', values.nodes, 4, 16);
  return {
    ...{ help: values.help, keep: values.keep, results: values.results, measure: values.measure, consensus },
    program: values.program ?? '',
    minutes: numberOf('minutes', values.minutes, 0.5, 1_440),
    seed: numberOf('seed', seed, 0, 2 ** 31 - 1),
    nemeses: values.nemesis === undefined ? NEMESES : nemesesOf(values.nemesis),
    participants: numberOf('participants', values.participants, 1, 4),
    kills: numberOf('kills', values.kills, 1, 10_000),
    burst: numberOf('burst', values.burst, 1, Math.floor((consensus - 1) / 3)),
  };
}

type Arguments = ReturnType<typeof readArguments>;

const startedMs = performance.now();
const say = (line: string) => console.log(`${seconds(performance.now() - startedMs).padStart(8)}  ${line}`);

/** Nemeses that this machine can do; tells why it cannot do the others. */
async function able(nemeses: readonly Nemesis[]): Promise<readonly Nemesis[]> {
  const found: Nemesis[] = [];
  for (const nemesis of nemeses) {
    const reason = (await nemesis.unavailable?.()) ?? null;
    if (reason === null) found.push(nemesis);
    else say(`left out: ${nemesis.name}, because ${reason}`);
  }
  return found;
}

async function runPlan(stage: Stage, plan: readonly Step[]): Promise<readonly Outcome[]> {
  const { load, phases } = await startLoad(stage, { writersPerNode: 3, thinkMs: 25, readEveryMs: 200 });
  const results: StepResult[] = [];
  let checks: readonly Check[] = [];
  try {
    for (const [index, step] of plan.entries()) {
      say(`${index + 1}/${plan.length} ${step.nemesis.name}: ${step.fault.words}`);
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
  checks = await checkAtEnd(stage, phases);
  console.log(`\n${stepTable(results)}\n\n${failureTable(stage.history)}\n\n${checkTable(checks)}\n`);
  for (const { name, fault } of checks) if (fault?.includes('\n')) console.log(`${name}:\n${fault}\n`);
  return [
    ...results.map(({ nemesis, words, fault }) => ({ name: `${nemesis}: ${words}`, fault })),
    ...checks,
  ];
}

async function runMeasure(stage: Stage, { kills, burst }: Arguments): Promise<readonly Outcome[]> {
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
  return [{ name: 'measure failover', fault: null }];
}

async function chaos(given: Arguments, dir: string, signal: AbortSignal): Promise<boolean> {
  const { consensus, participants, program, seed, minutes } = given;
  say(`${consensus} consensus nodes, ${participants} members; directory ${dir}`);
  const network = await ChaosNetwork.create({ dir, program, seed, consensus, participants });
  // calls that wait for a node end with it
  signal.addEventListener('abort', () => void network.destroy());
  try {
    const stage = new Stage(network, new History(), say, signal);
    let run = () => runMeasure(stage, given);
    if (given.measure === undefined) {
      const names = network.participants.map(node => node.name);
      const count = Math.max(1, Math.floor((minutes * 60 - START_AND_END_SECONDS) / STEP_SECONDS));
      const plan = drawPlan(seed, shapeOf(consensus, names), await able(given.nemeses), count);
      console.log(`\nthe plan of seed ${seed}:`);
      for (const [index, { nemesis, fault }] of plan.entries())
        console.log(`  ${index + 1}. ${nemesis.name}: ${fault.words}`);
      console.log('');
      run = () => runPlan(stage, plan);
    }
    await network.start();
    say('every node is ready');
    const outcomes = await run();
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
