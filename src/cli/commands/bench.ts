import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { stopSignal } from '../devnet/stop.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';

/** Beside the compiled program, in a checkout and in the package. */
const benchFile = (name: string) => fileURLToPath(new URL(`../../../bench/${name}.mjs`, import.meta.url));

interface FilesOptions {
  readonly quick?: boolean;
  readonly consensus: number;
  readonly bytes?: number;
  readonly smallFiles?: number;
  readonly bigBytes?: number;
  readonly rounds?: number;
  readonly only?: string;
  readonly dir?: string;
  readonly json?: string;
  readonly markdown?: string;
}

const fileWords: Readonly<Record<keyof FilesOptions, string>> = {
  quick: '--quick',
  consensus: '--consensus',
  bytes: '--bytes',
  smallFiles: '--small-files',
  bigBytes: '--big-bytes',
  rounds: '--rounds',
  only: '--only',
  dir: '--dir',
  json: '--json',
  markdown: '--markdown',
};

interface LightOptions {
  readonly quick?: boolean;
  readonly full?: boolean;
  readonly phases?: number;
  readonly recordsPerPhase?: number;
  readonly payloadBytes?: number;
  readonly heapMib?: number;
  readonly only?: string;
  readonly dir?: string;
  readonly json?: string;
}

const lightWords: Readonly<Record<keyof LightOptions, string>> = {
  quick: '--quick',
  full: '--full',
  phases: '--phases',
  recordsPerPhase: '--records-per-phase',
  payloadBytes: '--payload-bytes',
  heapMib: '--heap-mib',
  only: '--only',
  dir: '--dir',
  json: '--json',
};

interface ConsensusOptions {
  readonly nodes?: number;
  readonly payloadBytes?: number;
  readonly signatures?: string;
  readonly rate?: number;
  readonly clients?: number;
  readonly seconds?: number;
  readonly warmUp?: number;
  readonly repeat?: number;
  readonly curve?: string;
  readonly to?: string;
  readonly only?: string;
  readonly killLeaderAt?: string;
  readonly deadReplica?: boolean;
  readonly slow?: string;
  readonly partition?: string;
  readonly delayMs?: string;
  readonly loss?: string;
  readonly eventLog?: string;
  readonly compare?: string;
  readonly profile?: string;
  readonly dir?: string;
  readonly json?: string;
  readonly markdown?: string;
  readonly svg?: string;
}

const consensusWords: Readonly<Record<keyof ConsensusOptions, string>> = {
  nodes: '--nodes',
  payloadBytes: '--payload-bytes',
  signatures: '--signatures',
  rate: '--rate',
  clients: '--clients',
  seconds: '--seconds',
  warmUp: '--warm-up',
  repeat: '--repeat',
  curve: '--curve',
  to: '--to',
  only: '--only',
  killLeaderAt: '--kill-leader-at',
  deadReplica: '--dead-replica',
  slow: '--slow',
  partition: '--partition',
  delayMs: '--delay-ms',
  loss: '--loss',
  eventLog: '--event-log',
  compare: '--compare',
  profile: '--profile',
  dir: '--dir',
  json: '--json',
  markdown: '--markdown',
  svg: '--svg',
};

interface MicroOptions {
  readonly only?: string;
  readonly dir?: string;
  readonly json?: string;
}

const microWords: Readonly<Record<keyof MicroOptions, string>> = {
  only: '--only',
  dir: '--dir',
  json: '--json',
};

/** Of a benchmark that was called wrongly; it has said what is wrong. */
const WRONG_CALL = 2;

/** Runs a benchmark as a program of its own, with the options that were given. */
async function run<Options extends object>(
  io: Io,
  name: string,
  options: Options,
  words: Readonly<Record<keyof Options, string>>,
  command: Command,
): Promise<void> {
  const path = benchFile(name);
  if (!existsSync(path)) throw new CommandFailure(EXIT.error, `the benchmark ${path} is missing`);
  const given = Object.entries(options).flatMap(([option, value]) => {
    const word = words[option as keyof Options];
    if (word === undefined || value === undefined) return [];
    return value === true ? [word] : [word, String(value)];
  });
  const { output } = command.optsWithGlobals<{ output: string }>();
  // the benchmark stops its network by itself when this program is stopped
  const stop = stopSignal();
  const child = spawn(process.execPath, [path, ...given], {
    cwd: io.directory,
    env: { ...io.environment, PHASELINE_OUTPUT: output },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.setEncoding('utf8');
  let said = '';
  child.stdout.on('data', text => {
    said += text;
  });
  stop.signal.addEventListener('abort', () => child.kill('SIGINT'));
  const [code] = (await once(child, 'close')) as [number | null];
  stop.release();
  if (code === WRONG_CALL) throw new CommandFailure(EXIT.usage, 'the benchmark was not started');
  if (code !== 0) throw new CommandFailure(EXIT.error, 'the benchmark did not come to its end');
  io.out(said.trimEnd());
}

export function addBenchCommands(program: Command, io: Io): void {
  const bench = program.command('bench').description('measure this machine with a network of real processes');
  const amount = wholeNumber(1);
  bench
    .command('files')
    .description("files put, replicated, read and made whole again, against the machine's own ceiling")
    .option('--quick', 'small amounts: a minute instead of many')
    .option('--consensus <n>', 'consensus nodes', wholeNumber(1, 4), 1)
    .option('--bytes <n>', 'length of the file whose rate is measured', amount)
    .option('--small-files <n>', 'how many small files', amount)
    .option('--big-bytes <n>', 'length of the file under which memory is watched', amount)
    .option('--rounds <n>', 'how often rates are measured; the best counts', amount)
    .option('--only <steps>', 'of ceiling,large,small,big,lost')
    .option('--dir <dir>', 'where the data is; kept')
    .option('--json <file>', 'write the result as JSON too')
    .option('--markdown <file>', 'write the result as Markdown too')
    .action((options: FilesOptions, command: Command) => run(io, 'files', options, fileWords, command));
  bench
    .command('consensus')
    .description(
      'throughput and latency of a network of consensus nodes, what they cost, and what limits them here',
    )
    .option('--nodes <n>', 'consensus nodes (default: 4)', wholeNumber(1, 16))
    .option('--payload-bytes <n>', 'text of a record before encryption (default: 250)', wholeNumber(0))
    .option('--signatures <mode>', 'each: a signature for every record; batch: one for up to 64')
    .option('--clients <n>', 'closed loop: each sends again when its record is committed', amount)
    .option('--rate <n>', 'open loop: records a second, whatever the network does', amount)
    .option('--seconds <n>', 'length of the measurement (default: 10)', amount)
    .option('--warm-up <n>', 'seconds before it (default: 3)', amount)
    .option('--repeat <n>', 'measure the load so often; the last against the first', amount)
    .option('--curve <rates>', '"auto", or rates such as 500,1000,2000: latency over throughput')
    .option('--to <node>', 'where records are sent: all in turn (default), or node-1')
    .option('--only <parts>', 'of ceilings,load,idle,tenth')
    .option('--kill-leader-at <s>', 'kill the leader at this second')
    .option('--dead-replica', 'measure once more after a replica was killed')
    .option('--slow <node>', 'stop a node three quarters of the time: 4, or 4@5-10 for some seconds')
    .option('--partition <node>', 'cut a node off: 4, or 4@5-10 for some seconds (Linux, root)')
    .option('--delay-ms <n>', 'delay of every message between nodes (Linux, root, netem)')
    .option('--loss <percent>', 'packets lost between nodes (Linux, root, netem)')
    .option('--event-log <file>', 'the events of an XES or CSV file as payloads')
    .option('--compare <file>', 'ratios to an earlier result, as --json wrote it')
    .option('--profile <dir>', 'write there where each node spent its time while it was measured')
    .option('--dir <dir>', 'where the nodes have their data; kept')
    .option('--json <file>', 'write the result as JSON too')
    .option('--markdown <file>', 'write the result as Markdown too')
    .option('--svg <file>', 'draw latency over throughput')
    .action((options: ConsensusOptions, command: Command) =>
      run(io, 'consensus', options, consensusWords, command),
    );
  bench
    .command('micro')
    .description('what single parts cost on this machine, beside its ceilings (needs a checkout)')
    .option('--only <topics>', 'of hashing,signing,codec,merkle,state,store,member')
    .option('--dir <dir>', 'where files are written for as long as it runs')
    .option('--json <file>', 'write the result as JSON too')
    .action((options: MicroOptions, command: Command) => run(io, 'micro', options, microWords, command));
  bench
    .command('light')
    .description('what a light node costs: bytes, time and memory in a chain much larger than its own part')
    .option('--quick', 'a small chain, which is the default: some seconds')
    .option('--full', '100,000 blocks, a million records, 1,000 phases: half an hour to build, then seconds')
    .option('--phases <n>', 'phases of the chain', amount)
    .option('--records-per-phase <n>', 'records of each phase', amount)
    .option('--payload-bytes <n>', 'length of the text of a record', amount)
    .option('--heap-mib <n>', 'limit of the heap of the light node', amount)
    .option('--only <steps>', 'of sync,quiet,map')
    .option('--dir <dir>', 'where the chain is kept for the next run')
    .option('--json <file>', 'write the result as JSON too')
    .action((options: LightOptions, command: Command) => run(io, 'light', options, lightWords, command));
}
