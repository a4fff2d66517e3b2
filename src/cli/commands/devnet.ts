import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { NETWORK_POINTER, networkDirectory } from '../connect.ts';
import { MANAGER_NAME, MEMBER_NAMES } from '../devnet/names.ts';
import type { DevNetwork } from '../devnet/network.ts';
import { stopSignal } from '../devnet/stop.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import { colorsOf, formatTable, type Io, show } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { type GlobalOptions, runCommand } from '../program.ts';
import { networkStatus, STATUS_HEAD, statusRow } from './status.ts';

interface DevnetOptions {
  readonly consensus: number;
  readonly participants: number;
  readonly dir?: string;
  readonly keep?: boolean;
  readonly demo?: boolean;
  readonly file?: string;
}

const KEPT_DIR = join('.phaseline', 'devnet');

/** The running network's directory, where other commands started here find it; returns how to take it back. */
async function pointHere(io: Io, dir: string): Promise<() => Promise<void>> {
  const pointer = join(io.directory, NETWORK_POINTER);
  const before = await readFile(pointer, 'utf8').catch(() => null);
  await mkdir(join(io.directory, '.phaseline'), { recursive: true });
  await writeFile(pointer, `${dir}\n`);
  return async () => {
    const now = await readFile(pointer, 'utf8').catch(() => null);
    if (now?.trim() !== dir) return;
    if (before === null || before.trim() === dir) await rm(pointer, { force: true });
    else await writeFile(pointer, before);
  };
}

/** Registers the participants' members by the manager, each after it proved to hold its keys; those there stay. */
async function registerMembers(network: DevNetwork, io: Io, names: readonly string[]): Promise<void> {
  const quiet: Io = { ...io, out: () => {} };
  for (const name of names) await runCommand(['--network', network.dir, 'member', 'register', name], quiet);
}

async function ready(
  network: DevNetwork,
  io: Io,
  continued: boolean,
  members: readonly string[],
): Promise<void> {
  const lines = await networkStatus(network.dir);
  io.out('');
  io.out(formatTable(STATUS_HEAD, lines.map(statusRow)));
  io.out('');
  const what = continued ? 'continued the chain in' : 'set up a new consortium in';
  io.out(
    `${what} ${network.dir}: members ${[MANAGER_NAME, ...members].join(', ')}; ${MANAGER_NAME} administers it`,
  );
}

function suggest(io: Io): void {
  const colors = colorsOf(io);
  io.out('');
  io.out('ready. Try in another terminal, in this directory:');
  io.out(colors.cyan('  npx phaseline status'));
  io.out(colors.cyan('  npx phaseline project create "My project"'));
  io.out(
    colors.cyan(
      '  npx phaseline phase add intake --project "My project" --participant alice:contributor --participant bob --open',
    ),
  );
  io.out(colors.cyan('  npx phaseline --as alice record put --phase intake --text "hello" --file README.md'));
  io.out('Ctrl-C stops every node.');
}

/** Ctrl-C is how a network is meant to end, but a tour that was cut short has shown nothing. */
function endOfStopped(options: DevnetOptions): void {
  if (options.demo === true) throw new CommandFailure(EXIT.error, 'the demo was stopped before its end');
}

async function devnet(io: Io, options: DevnetOptions): Promise<void> {
  if (options.demo === true) {
    const { checkDemo } = await import('../devnet/demo.ts');
    await checkDemo(io, options.file ?? null, options.participants);
  }
  const kept = options.dir !== undefined || options.keep === true;
  const dir = kept
    ? resolve(io.directory, options.dir ?? KEPT_DIR)
    : await mkdtemp(join(tmpdir(), 'phaseline-'));
  const { DevNetwork } = await import('../devnet/network.ts');
  const network = new DevNetwork(
    { dir, consensus: options.consensus, participants: options.participants },
    line => io.err(line),
  );
  const stop = stopSignal();
  let takeBack: (() => Promise<void>) | null = null;
  let started = false;
  try {
    io.err(
      `starting ${options.consensus} consensus nodes, ${options.participants} participants and the manager`,
    );
    const { continued } = await network.start(stop.signal);
    started = true;
    takeBack = await pointHere(io, dir);
    const members = network.nodes
      .map(node => node.name)
      .filter(name => MEMBER_NAMES.some(known => known === name));
    if (options.demo === true) {
      const { runDemo } = await import('../devnet/demo.ts');
      await runDemo({ network, io, members, file: options.file ?? null, signal: stop.signal });
    } else {
      await registerMembers(network, io, members);
      await network.participantsReady(stop.signal);
      await ready(network, io, continued, members);
      suggest(io);
      await stop.stopped;
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    endOfStopped(options);
  } finally {
    const said = started || stop.signal.aborted; // else the error says it all, and what is there may be another's
    if (said) io.err('stopping');
    await network.stop();
    await takeBack?.();
    if (!kept) await rm(dir, { recursive: true, force: true });
    else if (started)
      io.err(`kept ${dir}; go on with: npm start -- --dir ${relative(io.directory, dir) || '.'}`);
    stop.release();
  }
}

async function addOne(io: Io, options: GlobalOptions): Promise<void> {
  const { addNode } = await import('../devnet/add-node.ts');
  const name = await addNode(await networkDirectory(io, options));
  const next = `phaseline validator propose-add ${name}`;
  show(io, options.output, { node: name, next }, { text: `${name} runs; make it a validator with: ${next}` });
}

export function addDevnetCommand(program: Command, io: Io): void {
  const command = program
    .command('devnet')
    .description('a whole network on this machine: every node a process of its own on loopback')
    .option('--consensus <n>', 'consensus nodes', wholeNumber(1, 16), 4)
    .option('--participants <n>', 'participant nodes', wholeNumber(1, MEMBER_NAMES.length), 3)
    .option('--dir <dir>', 'where the data is, kept; the same directory again continues the chain')
    .option('--keep', `keep the data, in ${KEPT_DIR}`)
    .option('--demo', 'run the guided tour, then stop')
    .option('--file <path>', 'the file that the tour puts into the first phase')
    .action((options: DevnetOptions) => devnet(io, options));
  command
    .command('add-node')
    .description('one more consensus node for the running network; a proposal makes it a validator')
    .action((_: object, self: Command) => addOne(io, self.optsWithGlobals<GlobalOptions>()));
}
