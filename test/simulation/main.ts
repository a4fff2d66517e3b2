import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Coverage } from './coverage.ts';
import { drawOptions, drawsHolders, type RunOptions } from './draw.ts';
import { explainFiles, runFilesFor, runFilesOnce } from './files/main.ts';
import { type FilesOptions, type FilesRunReport, runFiles } from './files/run.ts';
import { blocksFor, idleFor } from './long.ts';
import { COMMON_RUNS, missingAfter, RARE_RUNS } from './requirements.ts';
import { type RunReport, runWith } from './run.ts';
import { shrink } from './shrink.ts';

/** What a worker thread is to run: every `step`th seed from `first` on, until it has run `runs` or the time is over. */
interface Share {
  readonly first: number;
  readonly step: number;
  readonly runs: number;
  readonly untilMs: number;
}

type Message =
  | { readonly type: 'report'; readonly report: RunReport | FilesRunReport }
  | { readonly type: 'failure'; readonly seed: number; readonly text: string }
  | { readonly type: 'end' };

/** A run that is shorter counts less: what needs many blocks does not come to pass in it. */
const FULL_BLOCKS = 200;

/** Whoever watches a long search sees that it goes on. */
const RUNS_PER_LINE = 500;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

async function work(share: Share, tell: (message: Message) => void): Promise<void> {
  for (let run = 0; run < share.runs && Date.now() < share.untilMs; run += 1) {
    const seed = share.first + run * share.step;
    try {
      const report = await (drawsHolders(seed) ? runFiles(seed) : runWith(drawOptions(seed)));
      tell({ type: 'report', report });
    } catch (error) {
      tell({ type: 'failure', seed, text: (error as Error).message });
      break;
    }
  }
  tell({ type: 'end' });
}

/** All seeds over the workers, and what they found. */
async function runMany(first: number, runs: number, seconds: number, workers: number) {
  const coverage = new Coverage();
  const startMs = Date.now();
  const untilMs = startMs + seconds * 1000;
  const totals = { runs: 0, holders: 0, blocks: 0, full: 0 };
  const ended = new AbortController();
  let failure: Extract<Message, { type: 'failure' }> | null = null;
  const hear = (message: Message): void => {
    if (message.type === 'failure') {
      failure ??= message;
      ended.abort();
    }
    if (message.type !== 'report') return;
    const { report } = message;
    totals.runs += 1;
    if (totals.runs % RUNS_PER_LINE === 0)
      print(`${totals.runs} runs in ${Math.round((Date.now() - startMs) / 1000)} s, none failed`);
    coverage.add(report.coverage);
    if ('files' in report) totals.holders += 1;
    else {
      totals.blocks += report.height;
      if (report.height >= FULL_BLOCKS) totals.full += 1;
    }
  };
  const share = (index: number): Share => ({
    first: first + index,
    step: workers,
    runs: Math.ceil((runs - index) / workers),
    untilMs,
  });
  if (workers === 1) await work(share(0), hear);
  else
    await Promise.all(
      Array.from({ length: workers }, (_, index) => inThread(share(index), hear, ended.signal)),
    );
  return { coverage, totals, failure: failure as Extract<Message, { type: 'failure' }> | null };
}

/** Until its share is done, or a failure of any of them has ended the search. */
function inThread(share: Share, hear: (message: Message) => void, ended: AbortSignal): Promise<void> {
  return new Promise((resolve, fail) => {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: share,
      resourceLimits: { maxYoungGenerationSizeMb: 192 },
    });
    worker.on('message', (message: Message) => {
      hear(message);
      if (message.type === 'end') void worker.terminate();
    });
    ended.addEventListener('abort', () => void worker.terminate());
    worker.on('exit', () => resolve());
    worker.on('error', fail);
  });
}

/** @param missing what did not happen */
function printCoverage(coverage: Coverage, missing: readonly string[] = []): void {
  print('\ncoverage');
  const all = new Coverage();
  for (const name of missing) all.hit(name, 0);
  all.add(coverage.counts);
  const width = Math.max(...all.sorted().map(([name]) => name.length), 20);
  for (const [name, times] of all.sorted()) print(`  ${name.padEnd(width)} ${String(times).padStart(10)}`);
}

async function explain(options: RunOptions, text: string): Promise<void> {
  print(`\nFAILED ${text}\n\nlooking for a smaller run that fails alike …`);
  const smallest = await shrink(options, new Error(text));
  print(`\n${(smallest.error as Error).message}`);
  print(`\nseed ${options.seed}: npm run simulate -- --seed ${options.seed}`);
  print(`the smaller one:  npm run simulate -- --options '${JSON.stringify(smallest.options)}'`);
  process.exitCode = 1;
}

async function runOne(options: RunOptions): Promise<void> {
  print(`${JSON.stringify(options)}`);
  try {
    const report = await runWith(options);
    const coverage = new Coverage();
    coverage.add(report.coverage);
    printCoverage(coverage);
    const { height, transactions, sets, frames, steps, traceHash } = report;
    print(
      `\n${height} blocks, ${transactions} transactions, ${sets} sets, ${frames} frames, ${steps} events\ntrace ${traceHash}`,
    );
  } catch (error) {
    await explain(options, (error as Error).message);
  }
}

/** Short-lived buffers are cut from slabs of this size, in bytes: what allocates them costs more than what fills them. */
const SLAB_BYTES = 1 << 20;

const text = { type: 'string' } as const;
const OPTIONS = {
  ...{ seed: text, options: text, first: text, runs: text, seconds: text, workers: text },
  ...{ 'idle-hours': text, blocks: text, nodes: text },
  ...{ files: { type: 'boolean' as const }, help: { type: 'boolean' as const } },
};
const USAGE =
  'npm run simulate -- [--seconds S | --runs N] [--first SEED] [--workers N], --seed SEED, --options JSON, --idle-hours H or --blocks N [--nodes N]; --files for holders of files only';

/** The simulation of file holders. */
async function holders(values: {
  seed?: string;
  options?: string;
  first?: string;
  runs?: string;
  seconds?: string;
}): Promise<void> {
  const first = Number(values.seed ?? values.first ?? Math.floor(Date.now() / 1000) % 1_000_000_000);
  const many = values.seconds === undefined ? 20 : 1e9;
  const runs = values.seed === undefined ? Number(values.runs ?? many) : 1;
  const isWell = await (values.options === undefined
    ? runFilesFor({ first, runs, seconds: Number(values.seconds ?? 1e9) }, print)
    : runFilesOnce(JSON.parse(values.options) as FilesOptions, print));
  if (!isWell) process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help === true) return print(USAGE);
  if (values['idle-hours'] !== undefined) return idleFor(Number(values['idle-hours']), print);
  if (values.blocks !== undefined) return blocksFor(Number(values.blocks), Number(values.nodes ?? 4), print);
  if (values.files === true || drawsHolders(Number(values.seed))) return holders(values);
  if (values.options !== undefined) return runOne(JSON.parse(values.options) as RunOptions);
  if (values.seed !== undefined) return runOne(drawOptions(Number(values.seed)));
  const first = Number(values.first ?? Math.floor(Date.now() / 1000) % 1_000_000_000);
  const runs = Number(values.runs ?? (values.seconds === undefined ? 20 : 1e9));
  const workers = Number(values.workers ?? 1);
  print(`seeds from ${first}, ${workers} worker${workers === 1 ? '' : 's'}, Node ${process.versions.node}`);
  const startMs = Date.now();
  const { coverage, totals, failure } = await runMany(first, runs, Number(values.seconds ?? 1e9), workers);
  const { reached, all, missing, overdue } = missingAfter(totals.runs, name => coverage.counts.has(name));
  const isLong = totals.runs >= COMMON_RUNS;
  printCoverage(coverage, isLong ? missing : []);
  const seconds = (Date.now() - startMs) / 1000;
  const perRun = totals.blocks / Math.max(1, totals.runs - totals.holders);
  print(
    `\n${totals.runs} runs, ${totals.holders} of them of file holders, in ${seconds.toFixed(1)} s: ${(totals.runs / seconds).toFixed(2)} runs/s, ${perRun.toFixed(0)} blocks/run`,
  );
  print(
    `${totals.full} cluster runs of >= ${FULL_BLOCKS} blocks, ${Math.round((3600 * totals.full) / seconds)} an hour`,
  );
  const isExpected = reached < all && overdue.length === 0;
  print(
    `reached ${reached} of ${all} kinds${isExpected ? `; all of them take about ${RARE_RUNS} runs` : ''}`,
  );
  if (!isLong && missing.length > 0) print(`0 times: ${missing.join('; ')}`);
  if (overdue.length > 0) print(`never reached, and runs of this number should: ${overdue.join('; ')}`);
  if (failure !== null || overdue.length > 0) process.exitCode = 1;
  if (failure === null) return;
  if (drawsHolders(failure.seed)) await explainFiles(failure.seed, failure.text, print);
  else await explain(drawOptions(failure.seed), failure.text);
}

function endOfWrongOption(error: NodeJS.ErrnoException): void {
  if (error.code?.startsWith('ERR_PARSE_ARGS') !== true) throw error;
  print(`${error.message}\n${USAGE}`);
  process.exitCode = 2;
}

Buffer.poolSize = SLAB_BYTES;
if (isMainThread) await main().catch(endOfWrongOption);
else await work(workerData as Share, message => parentPort?.postMessage(message));
