import type { Command } from 'commander';
import { stopSignal } from '../devnet/stop.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import type { Session } from '../session.ts';
import { TransferProgress } from './progress.ts';
import { FilePut, type PutReport, type PutRequest } from './put.ts';

const LOOK_MS = 300;
/** The node's answer to one call may not take longer than what HTTP clients wait for. */
const WAIT_SECONDS_MAX = 240;

export interface WaitOptions {
  /** True for the phase's minimum. */
  readonly waitForCopies?: string | true;
  readonly waitSeconds: number;
}

/** The options with which a record waits for copies of its files. */
export function addWaitOptions(command: Command): Command {
  return command
    .option(
      '--wait-for-copies [n]',
      "write the record only when its new files have n copies, at most one a participant (the phase's minimum)",
    )
    .option('--wait-seconds <n>', 'for how long', wholeNumber(1, WAIT_SECONDS_MAX), 60);
}

export function waitOf({ waitForCopies, waitSeconds }: WaitOptions): PutRequest['waitForCopies'] {
  if (waitForCopies === undefined) return null;
  const copies = waitForCopies === true ? null : Number(waitForCopies);
  if (copies !== null && !(Number.isInteger(copies) && copies >= 1)) {
    throw new CommandFailure(EXIT.usage, '--wait-for-copies takes a whole number from 1 up');
  }
  return { copies, waitMs: waitSeconds * 1000 };
}

/** A line of progress on the terminal, and Ctrl-C as a signal, for as long as `work` takes. */
export async function transferring<T>(
  io: Io,
  options: { readonly output: string; readonly what: string },
  work: (progress: TransferProgress, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const terminal = {
    interactive: io.interactive && options.output !== 'json',
    draw: (text: string) => void process.stderr.write(text),
  };
  const progress = new TransferProgress(terminal, options.what, () => performance.now());
  const stop = stopSignal();
  try {
    return await work(progress, stop.signal);
  } finally {
    progress.end();
    stop.release();
  }
}

/** Puts files as `file put` and `record put` do. */
export async function putWithProgress(
  io: Io,
  session: Session,
  request: PutRequest,
  output: string,
): Promise<PutReport> {
  const what = request.files.length === 1 ? request.files[0]!.name : `${request.files.length} files`;
  return transferring(io, { output, what }, (progress, signal) => {
    const pause = () => new Promise<void>(resolve => setTimeout(resolve, LOOK_MS));
    const { client, local } = session;
    return new FilePut(request, { client, local, progress, signal, pause }).run();
  });
}

export function reportRows(report: PutReport): (readonly [string, string])[] {
  const of = (file: PutReport['records'][number]['files'][number]) =>
    `${file.cid} (${file.bytes} bytes${file.reused ? ', in the phase already: stored once' : ''})`;
  return [
    ...report.records.flatMap(record => [
      ['record', record.id] as const,
      ['height', String(record.height)] as const,
      ['position', String(record.position)] as const,
      ...record.files.map(file => [`file ${file.name}`, of(file)] as const),
    ]),
    ...report.present.map(name => [`file ${name}`, 'is in the phase already'] as const),
  ];
}
