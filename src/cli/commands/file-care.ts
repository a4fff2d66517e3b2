import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import { publishFile } from '../files/get.ts';
import { cidOf } from '../files/list.ts';
import { formatBytes } from '../files/progress.ts';
import type { Io } from '../io.ts';
import { openSession, type Session } from '../session.ts';
import { addFilePurgeCommands } from './file-purge.ts';
import { showChecks } from './record.ts';
import { type RetentionAnswer, retentionPairs } from './retention.ts';

export interface FileStatusAnswer {
  readonly file: { readonly cid: string; readonly name: string; readonly bytes: number };
  readonly record: string;
  readonly position: number;
  readonly copies: number;
  readonly copiesReachable: number;
  readonly copiesTarget: number;
  readonly holders: readonly { readonly member: string; readonly reachable: boolean }[];
  readonly local: string;
  readonly missing: readonly string[];
  readonly reason: string | null;
  readonly pinned: boolean;
  readonly proofs: readonly {
    readonly member: string;
    readonly proven: { readonly iso: string } | null;
    readonly failedSince: { readonly iso: string } | null;
  }[];
}

interface StatusAnswer {
  readonly files: readonly FileStatusAnswer[];
  readonly retention: RetentionAnswer | null;
}

interface PhaseOption {
  readonly phase: string;
}

const PHASE = ['--phase <phase>', 'phase: label, id or start of the id'] as const;

/** A signed copy whose node is gone is still signed: both counts are told. */
function copiesText({ copies, copiesTarget, copiesReachable }: FileStatusAnswer): string {
  return `${copies} of ${copiesTarget} copies, ${copiesReachable} reachable now`;
}

function holderText({ holders, proofs }: FileStatusAnswer): string {
  return holders
    .map(({ member, reachable }) => {
      const proof = proofs.find(one => one.member === member);
      const failing = proof?.failedSince ?? null;
      if (failing !== null) return `${member} (cannot prove it since ${failing.iso})`;
      return reachable ? member : `${member} (not reached)`;
    })
    .join(', ');
}

/** The last time that another member's node proved to this one that it has the file. */
function provenText({ proofs }: FileStatusAnswer): string {
  const times = proofs.flatMap(({ member, proven }) => (proven === null ? [] : [`${proven.iso} ${member}`]));
  return times.sort().at(-1) ?? 'not yet';
}

function hereText({ local, reason, pinned }: FileStatusAnswer): string {
  const held = pinned ? `${local}, pinned` : local;
  return reason === null ? held : `${held}: ${reason}`;
}

async function status(
  io: Io,
  what: string | undefined,
  options: PhaseOption,
  command: Command,
): Promise<void> {
  const session = await openSession(io, command, null);
  const { phase } = options;
  const params = { phase, cid: what === undefined ? null : await cidOf(session.client, what, phase) };
  const answer = await session.call<StatusAnswer>('file_status', params);
  session.show(answer, {
    pairs: retentionPairs(answer.retention, phase),
    head: ['NAME', 'BYTES', 'COPIES', 'HOLDERS', 'LAST PROOF', 'MISSING', 'HERE', 'CID'],
    rows: answer.files.map(entry => [
      ...[entry.file.name, entry.file.bytes, copiesText(entry), holderText(entry), provenText(entry)],
      ...[entry.missing.join(', '), hereText(entry), entry.file.cid],
    ]),
  });
}

interface StoreVerification {
  readonly files: number;
  readonly blocks: number;
  readonly bytes: number;
  readonly damaged: readonly { readonly cid: string; readonly blocks: number }[];
}

async function verify(
  io: Io,
  what: string | undefined,
  options: Partial<PhaseOption>,
  command: Command,
): Promise<void> {
  if (what !== undefined && options.phase === undefined) {
    throw new CommandFailure(EXIT.usage, 'one file is verified in its phase: say which with --phase PHASE');
  }
  const session = await openSession(io, command, null);
  if (what !== undefined && options.phase !== undefined) {
    const cid = await cidOf(session.client, what, options.phase);
    const checks = await session.client.callLong('file_verify', { phase: options.phase, cid });
    return showChecks(session, `file ${cid}`, checks as Parameters<typeof showChecks>[2]);
  }
  const { files, blocks, bytes, damaged } =
    await session.client.callLong<StoreVerification>('file_verifyAll');
  if (damaged.length > 0)
    session.tell('damaged files are fetched again by themselves: verify once more in a moment');
  const checks = [
    {
      name: 'every block of every file',
      ok: damaged.length === 0,
      detail: `${files} files, ${blocks} blocks, ${bytes} bytes`,
    },
    ...damaged.map(file => ({
      name: file.cid,
      ok: false,
      detail: `${file.blocks} blocks missing or damaged`,
    })),
  ];
  showChecks(session, "this node's store", { ok: damaged.length === 0, checks });
}

/** A command about one file of a phase. */
type OfFile<T = object> = (
  session: Session,
  address: { readonly phase: string; readonly cid: string },
  options: T,
  io: Io,
) => Promise<void>;

const repair: OfFile = async (session, address) => {
  const answer = await session.client.callLong<{ whole: boolean; reason: string | null }>(
    'file_repair',
    address,
  );
  session.show(answer, {
    pairs: [
      ['copy here', answer.whole ? 'whole' : 'not whole'],
      ...(answer.reason === null ? [] : [['reason', answer.reason] as const]),
    ],
  });
};

function setPin(method: 'file_pin' | 'file_unpin'): OfFile {
  return async (session, address) => {
    const answer = await session.call<{ pinned: boolean }>(method, address);
    session.show(answer, { pairs: [['pinned', answer.pinned ? 'yes' : 'no']] });
  };
}

interface CarOption {
  readonly car: string;
}

const exportCar: OfFile<CarOption> = async (session, address, { car }, io) => {
  const { stream } = await session.client.exportCar(address);
  const answer = await publishFile(stream, resolve(io.directory, car));
  session.show(answer, {
    pairs: [
      ['wrote', answer.path],
      ['bytes', answer.bytes],
    ],
  });
};

const importCar: OfFile<CarOption> = async (session, address, { car }, io) => {
  const body = createReadStream(resolve(io.directory, car));
  await once(body, 'open').catch(({ code }: NodeJS.ErrnoException) => {
    throw new CommandFailure(EXIT.error, `cannot read ${car} (${code})`, 'Give the path of a CAR.');
  });
  const answer = await session.client.importCar({ ...address, body });
  session.show(answer, {
    pairs: [
      ['blocks', answer.blocks],
      ['copy here', answer.whole ? 'whole' : `not whole: ${answer.reason}`],
    ],
  });
};

interface UseAnswer {
  readonly bytes: number;
  readonly bytesMax: number | null;
  readonly files: number;
}

async function quota(io: Io, command: Command): Promise<void> {
  const session = await openSession(io, command, null);
  const answer = await session.call<{
    node: UseAnswer;
    phases: (UseAnswer & { phase: string })[];
    freeBytes: number | null;
  }>('file_quota');
  const row = (what: string, use: UseAnswer) => [
    ...[what, use.files, formatBytes(use.bytes), use.bytesMax === null ? 'none' : formatBytes(use.bytesMax)],
  ];
  session.show(answer, {
    head: ['WHERE', 'FILES', 'USED', 'QUOTA'],
    rows: [
      row('this node', answer.node),
      ...answer.phases.map(use => row(`phase ${use.phase.slice(0, 12)}`, use)),
    ],
    ...(answer.freeBytes === null ? {} : { text: `${formatBytes(answer.freeBytes)} free on the disk` }),
  });
}

async function collectGarbage(io: Io, command: Command): Promise<void> {
  const session = await openSession(io, command, null);
  const answer = await session.client.callLong<{ files: number; bytes: number; strayBlocks: number }>(
    'file_collectGarbage',
  );
  session.show(answer, {
    pairs: [
      ['files removed', answer.files],
      ['bytes freed', answer.bytes],
      ['stray blocks removed', answer.strayBlocks],
    ],
  });
}

/** What keeps files whole: who holds them, checks, repairs, pins, quotas, garbage. */
export function addFileCareCommands(file: Command, io: Io): void {
  file
    .command('status')
    .description('copies, holders and their proofs of the files of a phase')
    .argument('[cid|name]', 'CID or name of one file')
    .requiredOption(...PHASE)
    .action((given: string | undefined, options: PhaseOption, command: Command) =>
      status(io, given, options, command),
    );
  file
    .command('verify')
    .description("re-hash this node's copy of a file, or of all files")
    .argument('[cid|name]', 'CID or name of one file of --phase; all that this node has without')
    .option(...PHASE)
    .action((given: string | undefined, options: Partial<PhaseOption>, command: Command) =>
      verify(io, given, options, command),
    );
  /** @returns the command, for more options */
  function addOfFile<T>(name: string, description: string, run: OfFile<T>): Command {
    return file
      .command(name)
      .description(description)
      .argument('<cid|name>', 'CID or name of the file')
      .requiredOption(...PHASE)
      .action(async (given: string, options: PhaseOption & T, command: Command) => {
        const session = await openSession(io, command, null);
        const { phase } = options;
        await run(session, { phase, cid: await cidOf(session.client, given, phase) }, options, io);
      });
  }
  addOfFile('repair', 'fetch missing or damaged blocks from the other holders', repair);
  addOfFile('pin', 'keep a copy here, whatever the placement says', setPin('file_pin'));
  addOfFile('unpin', 'keep it only as long as it is asked for', setPin('file_unpin'));
  addOfFile('export', 'write the encrypted blocks of a file as a CAR', exportCar).requiredOption(
    '--car <path>',
    'where to write it; nothing is replaced',
  );
  addOfFile(
    'import',
    'give this node the blocks of a file that a record names, from a CAR',
    importCar,
  ).requiredOption('--car <path>', 'the CAR');
  file
    .command('quota')
    .description("what this node's store holds, against its quotas")
    .action((_options: object, command: Command) => quota(io, command));
  file
    .command('gc')
    .description('remove what no record names and nobody pinned')
    .action((_options: object, command: Command) => collectGarbage(io, command));
  addFilePurgeCommands(file, io);
}
