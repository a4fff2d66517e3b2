import { CommanderError } from 'commander';
import { OperatingError } from '../ports/lifecycle.ts';

/** Documented exit codes (README). */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  refused: 3,
  cannotConnect: 4,
  unhealthy: 5,
  waiting: 6,
} as const;

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

/** Hints of nodes name methods of JSON-RPC: people on a command line need the commands. */
const COMMANDS_FOR_METHODS: Readonly<Record<string, string>> = {
  chain_status: 'phaseline status',
  file_purge: 'phaseline file purge',
  file_purgeStatus: 'phaseline file certificate CID --phase PHASE',
  file_quota: 'phaseline file quota',
  file_repair: 'phaseline file repair',
  file_status: 'phaseline file status --phase PHASE',
  file_uploads: 'phaseline file uploads --phase PHASE',
  file_verify: 'phaseline file verify',
  member_list: 'phaseline member list',
  node_status: 'phaseline status',
  phase_get: 'phaseline phase show PHASE',
  phase_list: 'phaseline phase list',
  project_list: 'phaseline project list',
  proposal_list: 'phaseline proposal list',
  record_list: 'phaseline record list --phase PHASE',
};

/** What does not hold is exit code 5, wherever it shows. */
const VERIFICATION_FAILED = 1005;
const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;

function hintForCommands(code: number | string, hint: string | null): string | null {
  if (code === METHOD_NOT_FOUND)
    return 'Ask a node of another role with --as NAME: phaseline status shows the nodes.';
  if (code === INVALID_PARAMS && hint?.startsWith('rpc.discover') === true)
    return 'phaseline COMMAND --help shows what a command takes.';
  return hint?.replace(/\b[a-z]+_[a-zA-Z]+\b/g, name => COMMANDS_FOR_METHODS[name] ?? name) ?? null;
}

/** What a node calls a wrong call, told to somebody who typed a command. */
function messageForCommands(code: number | string, message: string): string {
  if (code === METHOD_NOT_FOUND) return 'this node does not do that: it has another role';
  return message.replace(/^Invalid params: /, '');
}

/** Turns whatever was thrown into an exit code and one or two lines. */
export function describeFailure(error: unknown): { exitCode: number; lines: string[] } {
  if (error instanceof CommandFailure) return withHint(error.exitCode, error.message, error.hint);
  if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? 0 : EXIT.usage, lines: [] };
  if (error instanceof OperatingError) {
    const exitCode = error.code === 'cannot_connect' ? EXIT.cannotConnect : EXIT.error;
    return withHint(exitCode, error.message, error.hint);
  }
  if (error instanceof Error && error.name === 'RpcError') {
    const { code, hint, reason } = error as Error & RpcFailure;
    if (code === 'cannot_connect') return withHint(EXIT.cannotConnect, error.message, hint ?? null);
    const failed = code === VERIFICATION_FAILED ? EXIT.unhealthy : EXIT.error;
    const refused = REFUSALS.has(code) ? EXIT.refused : failed;
    const exitCode = reason === 'approval_pending' ? EXIT.waiting : refused;
    return withHint(exitCode, messageForCommands(code, error.message), hintForCommands(code, hint ?? null));
  }
  return withHint(EXIT.error, error instanceof Error ? error.message : String(error), null);
}

function withHint(exitCode: number, message: string, hint: string | null) {
  return { exitCode, lines: hint === null ? [message] : [message, hint] };
}
