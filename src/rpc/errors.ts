import type { Reject } from '../core/base/reject.ts';
import { OperatingError } from '../ports/lifecycle.ts';

/**
 * The error codes, all of them. −32768…−32000 are the specification's (−32000…−32099 left to servers); codes of the
 * application are above zero: a node understood the call and refused it. `http` is the status where an error answers
 * a plain HTTP request.
 */
export const ERRORS = {
  parse_error: { code: -32700, http: 400, message: 'Parse error' },
  invalid_request: { code: -32600, http: 400, message: 'Invalid Request' },
  method_not_found: { code: -32601, http: 404, message: 'Method not found' },
  invalid_params: { code: -32602, http: 400, message: 'Invalid params' },
  internal_error: { code: -32603, http: 500, message: 'Internal error' },
  unauthorized: { code: -32001, http: 401, message: 'a session token or a signed request is needed' },
  rate_limited: { code: -32002, http: 429, message: 'too many calls' },
  busy: { code: -32003, http: 503, message: 'the node has too much to do' },
  unavailable: { code: -32004, http: 503, message: 'the node cannot do this at the moment' },
  limit_exceeded: { code: -32005, http: 413, message: 'larger than this node accepts' },
  needs_websocket: { code: -32006, http: 400, message: 'subscriptions need a WebSocket connection' },
  forbidden_origin: { code: -32007, http: 403, message: 'this host or origin may not talk to the node' },
  unsupported_media_type: { code: -32008, http: 415, message: 'the content type is not application/json' },
  refused: { code: 1000, http: 409, message: 'the ledger refused the transaction' },
  forbidden: { code: 1001, http: 403, message: 'not allowed' },
  not_found: { code: 1002, http: 404, message: 'not found' },
  ambiguous_name: { code: 1003, http: 409, message: 'the name stands for more than one' },
  conflict: { code: 1004, http: 409, message: 'this does not fit the present state' },
  verification_failed: { code: 1005, http: 422, message: 'verification failed' },
  purged: { code: 1006, http: 410, message: 'the file was purged' },
  expired: { code: 1007, http: 409, message: 'the transaction expired before a block took it' },
} as const;

export type ErrorName = keyof typeof ERRORS;

export interface ErrorObject {
  readonly code: number;
  readonly message: string;
  readonly data?: ErrorData;
}

export interface ErrorData {
  /** Stable word for programs. */
  readonly reason: string;
  /** What to do next, one sentence; null when there is nothing to say. */
  readonly hint: string | null;
  /** The parameter at fault, of `invalid_params`. */
  readonly parameter?: string;
  /** Every fault of the parameters. */
  readonly faults?: readonly { readonly parameter: string; readonly fault: string }[];
  /** What an ambiguous name stands for. */
  readonly matches?: readonly string[];
}

/** How a method says no. Its message reaches the caller: no secrets, no paths that the caller did not give. */
export class RpcFailure extends Error {
  override readonly name = 'RpcFailure';

  constructor(
    readonly error: ErrorName,
    message: string = ERRORS[error].message,
    readonly data: ErrorData = { reason: error, hint: null },
  ) {
    super(message);
  }

  get http(): number {
    return ERRORS[this.error].http;
  }

  toObject(): ErrorObject {
    return { code: ERRORS[this.error].code, message: this.message, data: this.data };
  }
}

/** @param detail one sentence for people */
export function failure(
  error: ErrorName,
  reason: string,
  detail: string,
  hint: string | null = null,
): RpcFailure {
  return new RpcFailure(error, detail, { reason, hint });
}

/** Reject codes of services that are not refusals by the ledger, with what to do next. */
const REASONS: Readonly<Record<string, readonly [ErrorName, string | null]>> = {
  unknown_project: ['not_found', 'project_list shows the projects that this node may read.'],
  unknown_phase: ['not_found', 'phase_list shows the phases that this node may read.'],
  unknown_record: ['not_found', 'record_list shows the records of the phase.'],
  unknown_file: ['not_found', 'file_status shows the files of the phase.'],
  unknown_member: ['not_found', 'member_list shows the members.'],
  unknown_peer: ['not_found', null],
  unknown_block: ['not_found', 'chain_status shows the height of the head.'],
  unknown_subscription: ['not_found', null],
  not_readable: ['forbidden', 'Only participants of the phase may read it.'],
  not_participant: ['forbidden', 'Only participants of the phase may do this.'],
  key_missing: ['forbidden', 'The epoch was never opened to this member.'],
  not_owner: ['forbidden', null],
  not_administrator: ['forbidden', null],
  purged: ['purged', 'file_purgeStatus tells who ordered it and which nodes have deleted it.'],
  not_purged: ['not_found', 'file_purge orders it.'],
  expired: ['expired', 'Send the transaction again: nothing of it was written.'],
  no_source: ['unavailable', 'No consensus node can be reached; node_status shows the connections.'],
  too_few_copies: [
    'unavailable',
    'What was stored stays for another try; without waiting the record shows the gap instead.',
  ],
  quota_exceeded: ['limit_exceeded', 'file_quota shows what is used; purge files, or raise the quota.'],
  file_gone: ['conflict', 'Send the file again.'],
  not_whole: ['conflict', 'file_repair fetches what is missing.'],
  bad_car: ['invalid_params', null],
  no_holder: ['unavailable', 'No node that holds the file can be reached.'],
  not_ready: ['unavailable', '/readyz says what is missing.'],
  pool_full: ['busy', 'Try again in a moment.'],
  sender_busy: ['busy', 'Try again in a moment.'],
  too_large: ['limit_exceeded', null],
  transaction_too_large: ['limit_exceeded', null],
  ambiguous_record: ['ambiguous_name', 'Name the record by its id.'],
  bad_label: ['invalid_params', null],
  label_taken: ['conflict', null],
  card_too_large: ['limit_exceeded', null],
  verification_failed: ['verification_failed', null],
};

const REFUSAL_HINTS: Readonly<Record<string, string>> = {
  notParticipant: 'Only participants of the phase may do this; phase_get shows them.',
  roleMissing: 'The participant needs another role; phase_get shows the roles.',
  wrongLifecycle: 'The phase is not in the state that this needs; phase_get shows it.',
  retained: 'The policy of the phase keeps files longer; phase_get shows until when.',
  staleEpoch: 'The key epoch changed meanwhile: try again.',
  staleMembership: 'The participants changed meanwhile: look at the phase and try again.',
  staleVersion: 'It was changed meanwhile: look at it and try again.',
  phaseFrozen: 'Writing is frozen until a steward rotates the key epoch.',
  notOwner: 'Only the owner of the project may do this.',
  notAdministrator: 'Only an administrator of the consortium may do this.',
  alreadyParticipant: 'Use participant role to change the roles.',
  memberExists: 'Choose another member id, or rotate the keys of the existing one.',
  custodyForbids: 'Keys of this phase are made by its participants: a steward must do this.',
  expired: 'Send it again with a later last valid height.',
};

/** A service's refusal as the caller sees it, with its own hint if it has one; unknown codes are refusals by that name. */
export function failureOfReject(refusal: Reject): RpcFailure {
  const known = Object.hasOwn(REASONS, refusal.reject) ? REASONS[refusal.reject] : undefined;
  const { hint } = refusal as { hint?: string };
  if (known !== undefined) return failure(known[0], refusal.reject, refusal.detail, hint ?? known[1]);
  return failure('refused', refusal.reject, refusal.detail, hint ?? hintOfOutcome(refusal.reject));
}

function hintOfOutcome(name: string): string | null {
  return Object.hasOwn(REFUSAL_HINTS, name) ? REFUSAL_HINTS[name]! : null;
}

/**
 * Whatever a method threw. Operating errors keep code and hint; their message only reaches callers with a session,
 * since it may name local paths. Null for anything unexpected: the caller learns nothing of it.
 */
export function failureOfThrown(thrown: unknown, trusted: boolean): RpcFailure | null {
  if (thrown instanceof RpcFailure) return thrown;
  if (!(thrown instanceof OperatingError)) return null;
  const { code, message, hint } = thrown;
  const [error, knownHint] = Object.hasOwn(REASONS, code) ? REASONS[code]! : (['unavailable', null] as const);
  return failure(
    error,
    code,
    trusted ? message : ERRORS[error].message,
    trusted ? (hint ?? knownHint) : null,
  );
}
