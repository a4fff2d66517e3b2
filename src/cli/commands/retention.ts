import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import { formatBytes } from '../files/progress.ts';
import { type Io, printable } from '../io.ts';
import { openSession, type Session, short } from '../session.ts';

export interface RetentionAnswer {
  readonly days: number;
  readonly due: { readonly iso: string; readonly ms: number } | null;
}

/** What a phase says of its files: kept until when, or due since when and how to purge them. */
export function retentionPairs(retention: RetentionAnswer | null, phase: string): [string, string][] {
  if (retention === null) return [];
  const { due } = retention;
  if (due === null) return [['files', 'kept as long as the phase is not closed']];
  if (due.ms > Date.now()) return [['files', `kept until ${due.iso}`]];
  const how = `phaseline file purge --expired --phase ${phase}`;
  return [['files', `due for purge since ${due.iso}: ${how}`]];
}

interface DueAnswer {
  readonly phases: readonly {
    readonly phase: string;
    readonly label: string | null;
    readonly days: number;
    readonly since: { readonly iso: string };
    readonly files: readonly { readonly cid: string; readonly ciphertextBytes: number }[];
  }[];
}

interface Due {
  readonly phase: string;
  readonly name: string;
  readonly days: number;
  readonly since: string;
  readonly cid: string;
  readonly bytes: number;
}

interface ExpiredOptions {
  readonly phase?: string;
  readonly reason?: string;
  readonly yes?: boolean;
}

async function dueFiles(session: Session, options: ExpiredOptions): Promise<Due[]> {
  const { phases } = await session.call<DueAnswer>('file_due', { phase: options.phase ?? null });
  return phases.flatMap(({ phase, label, days, since, files }) =>
    files.map(({ cid, ciphertextBytes }) => ({
      ...{ phase, days, cid, since: since.iso, bytes: ciphertextBytes, name: label ?? short(phase) },
    })),
  );
}

async function confirm(io: Io, due: readonly Due[], options: ExpiredOptions): Promise<void> {
  if (options.yes === true) return;
  const lines = due.map(
    ({ cid, name, since, bytes }) => `  ${cid} (${formatBytes(bytes)}) of ${name}, due since ${since}`,
  );
  const warning = [
    `${due.length} file(s) will be deleted by every holder of their phase, for good; the records stay on chain:`,
    ...lines,
  ];
  if (!process.stdin.isTTY || !io.interactive) {
    throw new CommandFailure(EXIT.usage, warning.map(line => line.trim()).join(' '), 'Say that with --yes.');
  }
  for (const line of warning) io.err(printable(line));
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await reader.question('Type yes to purge them: ');
  reader.close();
  if (answer.trim() !== 'yes') throw new CommandFailure(EXIT.error, 'nothing was purged');
}

/** Orders the purge of every file whose retention is over, one order a file; what was ordered before a refusal stands. */
export async function purgeExpired(io: Io, options: ExpiredOptions, command: Command): Promise<void> {
  const session = await openSession(io, command, null);
  const due = await dueFiles(session, options);
  if (due.length > 0) await confirm(io, due, options);
  const orders: { readonly phase: string; readonly cid: string; readonly height: number }[] = [];
  const ask = async ({ phase, cid, days }: Due) => {
    const reason = options.reason ?? `its retention of ${days} days is over`;
    return session.call<{ height: number }>('file_purge', { phase, cid, reason });
  };
  for (const file of due) {
    const { height } = await ask(file).catch((error: unknown) => {
      if (orders.length > 0) io.err(`${orders.length} of ${due.length} orders were given before this:`);
      throw error;
    });
    orders.push({ phase: file.phase, cid: file.cid, height });
  }
  if (orders.length === 0) return session.show({ orders }, { text: 'no file is due for purge' });
  const rows = orders.map(({ phase, height, cid }) => [short(phase), height, cid]);
  session.show({ orders }, { head: ['PHASE', 'HEIGHT', 'CID'], rows });
}
