import type { LogId, MemberId, Suite } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { decodeOperation } from '../../core/codec/operation.ts';
import { decodePhaseState, decodeProjectState, type ScopeRef, scopeDigest } from '../../core/codec/state.ts';
import { checkLogEntry, readLogItem, type VerifiedItem } from '../../core/light/log-update.ts';
import { appendLeaves, type Frontier, frontierRoot, verifyConsistency } from '../../core/merkle/log.ts';
import type { Header } from '../../core/types/chain.ts';
import { OUTCOMES } from '../../core/types/outcome.ts';
import type { LogPart } from '../../wire/light-answer.ts';
import type { HeldLog } from './held-log.ts';

/** What one verified part adds to a log. */
export interface LogStep {
  readonly from: number;
  readonly to: number;
  /** True when the items do not go on from what was held: a first part, or a new grant after a removal. */
  readonly restarted: boolean;
  readonly frontier: Frontier;
  readonly items: readonly VerifiedItem[];
  /** Everything up to the header is held, or everything up to this member's removal. */
  readonly complete: boolean;
  readonly ended: boolean;
}

interface Start {
  readonly frontier: Frontier;
  readonly restarted: boolean;
}

/** The part goes on exactly where the holder stands, or starts anew where there is nothing to go on from. */
function startOf(held: HeldLog | null, part: LogPart): Start | Reject {
  if (held !== null && part.from === held.to) return { frontier: held.frontier, restarted: false };
  const mayRestart = held === null || (held.ended && part.from > held.to);
  if (!mayRestart) return reject('wrong_start', `items from ${part.from}, held up to ${held?.to}`);
  if (part.frontier.size !== part.from) return reject('wrong_start', 'the frontier is of another size');
  return { frontier: part.frontier, restarted: true };
}

/** A committed removal of this member from the phase whose log this is: what entitles a source to serve no further. */
function isRemovalOf(member: MemberId, item: VerifiedItem | undefined): boolean {
  if (item === undefined || item.leaf.outcome !== OUTCOMES.committed) return false;
  const operation = decodeOperation(item.transaction.body.kind, item.transaction.signed.parts);
  return (
    !isReject(operation) && operation.kind === 'participantRemove' && operation.contents[0].member === member
  );
}

function checkMembership(member: MemberId, ref: ScopeRef, state: Uint8Array, from: number): Reject | null {
  if (ref.scope === 'system') return from === 0 ? null : reject('wrong_start', 'system');
  if (ref.scope === 'project') {
    const project = decodeProjectState(state);
    if (isReject(project)) return project;
    return project.owner === member && from === 0 ? null : reject('wrong_start', `project ${ref.id}`);
  }
  const phase = decodePhaseState(state);
  if (isReject(phase)) return phase;
  const own = phase.participants.find(entry => entry.member === member)?.startPosition;
  const start = phase.owner === member ? 0 : own;
  if (start !== undefined && from <= start) return null;
  return reject('withheld', `phase ${ref.id} is readable from ${start}, held from ${from}`);
}

/**
 * The state is that of the header, and says itself that this member may read from where it holds.
 * @param state the state sent, or else the one held
 */
export function checkState(
  suite: Suite,
  member: MemberId,
  ref: ScopeRef,
  part: LogPart,
  state: Uint8Array | null,
  from: number,
): Reject | null {
  if (state === null) return reject('state_withheld', `${ref.scope} ${ref.id}`);
  if (scopeDigest(suite.sha256, state) !== part.entry.digest) {
    return reject('wrong_state', `${ref.scope} ${ref.id} does not match its digest`);
  }
  return checkMembership(member, ref, state, from);
}

/**
 * Verifies a part of a log under a certified header: the log's entry is in the header's map, and the items held with the new
 * ones are a prefix of that log (RFC 9162 consistency). So each round of a long log, and the shorter log of a removed
 * participant, is proven by itself [77] [78] [82].
 */
export function checkLogPart(
  suite: Suite,
  header: Header,
  log: { readonly logId: LogId; readonly member: MemberId; readonly held: HeldLog | null },
  part: LogPart,
): LogStep | Reject {
  const { sha256 } = suite;
  const { logId, held, member } = log;
  const fault = checkLogEntry(sha256, header, logId, part.entry, part.mapProof);
  if (fault !== null) return fault;
  const start = startOf(held, part);
  if (isReject(start)) return start;
  const items: VerifiedItem[] = [];
  for (const [index, sent] of part.items.entries()) {
    const item = readLogItem(sha256, header, logId, part.from + index, sent);
    if (isReject(item)) return item;
    items.push(item);
  }
  const frontier = appendLeaves(
    sha256,
    start.frontier,
    items.map(item => item.leafHash),
  );
  const { size, root } = part.entry;
  const claim = {
    first: frontier.size,
    firstRoot: frontierRoot(sha256, frontier),
    second: size,
    secondRoot: root,
  };
  if (frontier.size > size) return reject('invented', `${frontier.size - size} leaves too many`);
  if (!verifyConsistency(sha256, { ...claim, path: part.consistency })) {
    return reject('wrong_root', `the leaves of log ${logId} are not those of height ${header.height}`);
  }
  const ended = part.ended && (items.length > 0 ? isRemovalOf(member, items.at(-1)) : (held?.ended ?? false));
  const complete = part.ended ? ended : frontier.size === size;
  return { from: part.from, to: frontier.size, restarted: start.restarted, frontier, items, complete, ended };
}
