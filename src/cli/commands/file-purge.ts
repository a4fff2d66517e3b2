import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import { isCid } from '../files/list.ts';
import { type Io, printable } from '../io.ts';
import { openSession, type Session, short } from '../session.ts';
import { purgeExpired } from './retention.ts';

interface PurgeAnswer {
  readonly order: string;
  readonly height: number;
  readonly time: { readonly iso: string };
  readonly by: string;
  readonly reason: string;
  readonly references: readonly string[];
  readonly elsewhere: readonly { readonly record: string }[];
  readonly acknowledged: readonly {
    readonly member: string;
    readonly node: string;
    readonly height: number;
    readonly kept: boolean;
  }[];
  readonly open: readonly { readonly member: string; readonly node: string | null }[];
}

interface PurgeOptions {
  readonly phase: string;
  readonly reason: string;
  readonly yes?: boolean;
  readonly expired?: boolean;
}

const references = (session: Session, phase: string, cid: string) =>
  session.call<{ references: { phase: string; record: string; position: number }[] }>('file_references', {
    phase,
    cid,
  });

/** Names what breaks; asks on a terminal, and wants --yes elsewhere. */
async function confirm(io: Io, session: Session, cid: string, options: PurgeOptions): Promise<void> {
  const { references: found } = await references(session, options.phase, cid);
  const lines = found.map(
    ({ phase, record, position }) =>
      `record ${short(record)} at position ${position} of phase ${short(phase)}`,
  );
  const deed = `file ${cid} will be deleted by every holder of the phase, for good. These records name it:`;
  const rest = 'Those of other phases keep their copies until it is purged there too.';
  if (options.yes === true) return;
  if (!process.stdin.isTTY || !io.interactive) {
    throw new CommandFailure(EXIT.usage, `${deed} ${lines.join(', ')}. ${rest}`, 'Say that with --yes.');
  }
  for (const line of [deed, ...lines.map(one => `  ${one}`), rest]) io.err(printable(line));
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await reader.question('Type yes to purge it: ');
  reader.close();
  if (answer.trim() !== 'yes') throw new CommandFailure(EXIT.error, 'nothing was purged');
}

function oneFile(cid: string | undefined, options: Partial<PurgeOptions>): PurgeOptions & { cid: string } {
  const { phase, reason, expired } = options;
  if (cid === undefined || phase === undefined || reason === undefined || expired === true) {
    const detail = 'purge takes one CID with --phase and --reason, or --expired for what is due';
    throw new CommandFailure(EXIT.usage, detail, 'phaseline file purge CID --phase PHASE --reason TEXT');
  }
  if (!isCid(cid)) {
    const detail = `${cid} is no CID, and a name may have stood for several files`;
    throw new CommandFailure(EXIT.usage, detail, `phaseline file list --phase ${phase} shows the CIDs.`);
  }
  return { ...options, cid, phase, reason };
}

function showPurge(session: Session, answer: PurgeAnswer): void {
  session.show(answer, {
    pairs: [
      ['order', answer.order],
      ['height', answer.height],
      ['time', answer.time.iso],
      ['by', answer.by],
      ['reason', answer.reason],
      ...answer.references.map(record => ['record without it', record] as const),
      ...answer.elsewhere.map(({ record }) => ['named elsewhere', record] as const),
      ...answer.acknowledged.map(
        ({ member, node, height, kept }) =>
          [
            kept ? 'kept for another phase' : 'deleted by',
            `${member}, node ${node}, signed at height ${height}`,
          ] as const,
      ),
      ...answer.open.map(
        ({ member, node }) =>
          [
            'not yet acknowledged',
            node === null ? `${member}, whose card names no node` : `${member}, node ${node}`,
          ] as const,
      ),
    ],
  });
}

/** The end of a file, on purpose. */
export function addFilePurgeCommands(file: Command, io: Io): void {
  const cid = ['<cid>', 'CID of the file'] as const;
  const phase = ['--phase <phase>', 'phase: label, id or start of the id'] as const;
  file
    .command('purge')
    .description('order on chain that every holder deletes a file; there is no way back')
    .argument('[cid]', 'CID of the file')
    .option(...phase)
    .option('--reason <text>', 'why; everyone in the phase reads it')
    .option('--expired', 'every file whose retention is over, of the phase or of all, instead of one')
    .option('--yes', 'do not ask')
    .action(async (given: string | undefined, options: Partial<PurgeOptions>, command: Command) => {
      if (options.expired === true && given === undefined) return purgeExpired(io, options, command);
      const one = oneFile(given, options);
      const session = await openSession(io, command, null);
      await confirm(io, session, one.cid, one);
      const { cid, phase: name, reason } = one;
      showPurge(session, await session.call<PurgeAnswer>('file_purge', { phase: name, cid, reason }));
    });
  file
    .command('certificate')
    .description('the certificate of a purge: the order, and what each node of each holder signed')
    .argument(...cid)
    .requiredOption(...phase)
    .option('--out <file>', 'write it to a new file, for "phaseline dossier verify"')
    .action(async (given: string, options: { phase: string; out?: string }, command: Command) => {
      const session = await openSession(io, command, null);
      const params = { phase: options.phase, cid: given };
      const { purge } = await session.call<{ purge: PurgeAnswer | null }>('file_purgeStatus', params);
      if (purge === null) throw new CommandFailure(EXIT.error, `file ${given} was not purged from the phase`);
      if (options.out !== undefined) {
        await session.call('file_purgeCertificate', { ...params, path: resolve(io.directory, options.out) });
      }
      showPurge(session, purge);
    });
}
