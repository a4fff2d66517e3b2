import { once } from 'node:events';
import type { Writable } from 'node:stream';
import Table from 'cli-table3';
import { createColors } from 'picocolors';

/** Where a command reads its surroundings and writes its answer; the demo and tests bring their own. */
export interface Io {
  readonly environment: NodeJS.ProcessEnv;
  readonly directory: string;
  out(text: string): void;
  err(text: string): void;
  /** True when progress may be drawn over the same line. */
  readonly interactive: boolean;
}

export function processIo(): Io {
  return {
    environment: process.env,
    directory: process.cwd(),
    out: text => process.stdout.write(`${text}\n`),
    err: text => process.stderr.write(`${text}\n`),
    interactive: process.stderr.isTTY === true,
  };
}

/** Bytes as fast as they are read. @throws the reason of `signal` */
export async function writePaced(output: Writable, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (output.write(bytes)) return;
  await once(output, 'drain', { signal }).catch(error => {
    throw signal.aborted ? signal.reason : error;
  });
}

/** @param end called when the output takes nothing more; null when its reader has enough, as after `| head`: no fault */
export function endWithOutput(output: Writable, end: (fault: Error | null) => void): void {
  output.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'EPIPE' ? null : error));
}

export function colorsOf(io: Io) {
  return createColors(io.interactive && !io.environment.NO_COLOR);
}

/** Terminal escapes, and marks that turn the direction of writing, never reach the terminal from foreign text (SCENARIOS 88). */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, '�');
}

export function formatTable(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const plain = Object.fromEntries(
    ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left']
      .concat(['left-mid', 'mid', 'mid-mid', 'right', 'right-mid'])
      .map(key => [key, '']),
  );
  const table = new Table({
    head: [...head],
    chars: { ...plain, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  for (const row of rows) table.push(row.map(cell => printable(String(cell ?? ''))));
  return table
    .toString()
    .split('\n')
    .map(line => line.trimEnd())
    .join('\n');
}

/** What a command shows: the whole value as JSON, or its rows (or name–value pairs) as a table. */
export interface View {
  readonly head?: readonly string[];
  readonly rows?: readonly (readonly unknown[])[];
  readonly pairs?: readonly (readonly [string, unknown])[];
  readonly text?: string;
  /** Text of several lines, as a file would have it. */
  readonly lines?: readonly string[];
}

export function show(io: Io, format: string, value: unknown, view: View): void {
  if (format === 'json') {
    // JSON.stringify escapes all control characters but these; \u009b opens a terminal escape as well as ESC does
    const escaped = (control: string) => `\\u00${control.charCodeAt(0).toString(16)}`;
    io.out(JSON.stringify(value, null, 2).replace(/[\u007f-\u009f]/g, escaped));
    return;
  }
  if (view.text !== undefined) io.out(printable(view.text));
  for (const line of view.lines ?? []) io.out(printable(line));
  if (view.pairs !== undefined) {
    const width = Math.max(...view.pairs.map(([label]) => label.length));
    for (const [label, content] of view.pairs)
      io.out(`${printable(label).padEnd(width)}  ${printable(String(content ?? ''))}`);
  }
  if (view.head !== undefined) io.out(formatTable(view.head, view.rows ?? []));
}
