import { CommanderError } from 'commander';
import { OperatingError } from '../ports/lifecycle.ts';

/** Documented exit codes (README). */
export const EXIT = { ok: 0, error: 1, usage: 2, refused: 3, cannotConnect: 4, unhealthy: 5 } as const;

/** A command that could not do what it was asked: message and hint go to standard error, never a stack trace. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';

  /** @param hint the next thing to do, as one sentence */
  constructor(
    readonly exitCode: number,
    message: string,
    readonly hint: string | null = null,
  ) {
    super(message);
  }
}

interface RpcFailure {
  readonly code: number | string;
  readonly reason?: string;
  readonly hint?: string | null;
}

/** Codes with which a node or the ledger says no on purpose (src/rpc/errors.ts): refused, forbidden, conflict, purged, expired. */
const REFUSALS: ReadonlySet<number | string> = new Set([1000, 1001, 1004, 1006, 1007]);

/** Turns whatever was thrown into an exit code and one or two lines. */
export function describeFailure(error: unknown): { exitCode: number; lines: string[] } {
  if (error instanceof CommandFailure) return withHint(error.exitCode, error.message, error.hint);
  if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? 0 : EXIT.usage, lines: [] };
  if (error instanceof OperatingError) {
    const exitCode = error.code === 'cannot_connect' ? EXIT.cannotConnect : EXIT.error;
    return withHint(exitCode, error.message, error.hint);
  }
  if (error instanceof Error && error.name === 'RpcError') {
    const { code, hint } = error as Error & RpcFailure;
    if (code === 'cannot_connect') return withHint(EXIT.cannotConnect, error.message, hint ?? null);
    return withHint(REFUSALS.has(code) ? EXIT.refused : EXIT.error, error.message, hint ?? null);
  }
  return withHint(EXIT.error, error instanceof Error ? error.message : String(error), null);
}

function withHint(exitCode: number, message: string, hint: string | null) {
  return { exitCode, lines: hint === null ? [message] : [message, hint] };
}
