import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { openSession } from '../session.ts';
import { showChecks } from './record.ts';

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
}

/** A signed copy whose node is gone is still signed: both counts are told. */
export function copiesText({ copies, copiesTarget, copiesReachable }: FileStatusAnswer): string {
  return `${copies} of ${copiesTarget} copies, ${copiesReachable} reachable now`;
}

async function status(
  io: Io,
  cid: string | undefined,
  options: { phase: string },
  command: Command,
): Promise<void> {
  const session = await openSession(io, command, null);
  const answer = await session.call<{ files: FileStatusAnswer[] }>('file_status', {
    phase: options.phase,
    cid: cid ?? null,
  });
  session.show(answer, {
    head: ['NAME', 'BYTES', 'COPIES', 'HOLDERS', 'HERE', 'CID'],
    rows: answer.files.map(entry => [
      entry.file.name,
      entry.file.bytes,
      copiesText(entry),
      entry.holders
        .map(({ member, reachable }) => (reachable ? member : `${member} (not reached)`))
        .join(', '),
      entry.reason === null ? entry.local : `${entry.local}: ${entry.reason}`,
      entry.file.cid,
    ]),
  });
}

/** What keeps files whole: who holds them, checks, repairs. */
export function addFileCareCommands(file: Command, io: Io): void {
  const phase = ['--phase <phase>', 'phase: label, id or start of the id'] as const;
  file
    .command('status')
    .description('copies and holders of the files of a phase')
    .argument('[cid]', 'one file')
    .requiredOption(...phase)
    .action((cid: string | undefined, options: { phase: string }, command: Command) =>
      status(io, cid, options, command),
    );
  file
    .command('verify')
    .description("re-hash this node's copy")
    .argument('<cid>', 'CID of the file')
    .requiredOption(...phase)
    .action(async (cid: string, options: { phase: string }, command: Command) => {
      const session = await openSession(io, command, null);
      showChecks(session, `file ${cid}`, await session.call('file_verify', { phase: options.phase, cid }));
    });
  file
    .command('repair')
    .description('fetch missing or damaged blocks from the other holders')
    .argument('<cid>', 'CID of the file')
    .requiredOption(...phase)
    .action(async (cid: string, options: { phase: string }, command: Command) => {
      const session = await openSession(io, command, null);
      const answer = await session.call<{ whole: boolean; reason: string | null }>('file_repair', {
        phase: options.phase,
        cid,
      });
      session.show(answer, {
        pairs: [
          ['copy here', answer.whole ? 'whole' : 'not whole'],
          ['reason', answer.reason ?? ''],
        ],
      });
    });
}
