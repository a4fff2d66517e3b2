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
