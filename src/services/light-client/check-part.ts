import { phaseRanges, type ReadableRange, WHOLE } from '../../core/access/visibility.ts';
import type { LogId, MemberId, Suite } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { decodeOperation } from '../../core/codec/operation.ts';
import { decodePhaseState, decodeProjectState, type ScopeRef } from '../../core/codec/state.ts';
import { checkLogEntry, readLogItem, type VerifiedItem } from '../../core/light/log-update.ts';
import {
  appendLeaves,
  type Frontier,
  frontierRoot,
  sameFrontier,
  verifyConsistency,
} from '../../core/merkle/log.ts';
import type { Header } from '../../core/types/chain.ts';
import { OUTCOMES } from '../../core/types/outcome.ts';
import type { LogPart } from '../../wire/light-answer.ts';
import { type HeldLog, type HeldRange, lastEnd } from './held-log.ts';

/** What one verified part adds to a log. */
export interface LogStep {
  readonly items: readonly VerifiedItem[];
  /** All that is held then. */
  readonly ranges: readonly HeldRange[];
  /** The last leaf held is this member's removal, and the source says that nothing came after. */
  readonly ended: boolean;
}

/** Where the items go on: from what is held, or from a frontier that the source shows. */
function startOf(ranges: readonly HeldRange[], part: LogPart): Frontier | Reject {
  const before = ranges.find(range => range.end.size === part.from);
  if (before !== undefined) return before.end;
  if (ranges.some(range => range.start.size <= part.from && part.from < range.end.size)) {
    return reject('wrong_start', `items from ${part.from}, which is held`);
  }
  if (part.frontier.size !== part.from) return reject('wrong_start', 'the frontier is of another size');
  return part.frontier;
}

/** The ranges with one more, joined with those that it touches. */
function joined(ranges: readonly HeldRange[], added: HeldRange): HeldRange[] | Reject {
  if (added.start.size === added.end.size) return [...ranges];
  const before = ranges.filter(range => range.end.size <= added.start.size);
  const after = ranges.slice(before.length);
  const next = after[0];
  let { start, end } = added;
  if (next !== undefined && next.start.size < end.size) {
    return reject('wrong_start', `items up to ${end.size}, held from ${next.start.size}`);
  }
  if (next !== undefined && next.start.size === end.size) {
    // Both are tied to certified roots of one log, so that they can differ only if the log was forked.
    if (!sameFrontier(next.start, end)) return reject('log_forked', `another history of ${end.size} leaves`);
    end = next.end;
    after.shift();
  }
  const last = before.at(-1);
  if (last !== undefined && last.end.size === start.size) {
    start = last.start;
    before.pop();
  }
  return [...before, { start, end }, ...after];
}

/** A committed removal of this member from the phase whose log this is: what entitles a source to serve no further. */
function isRemovalOf(member: MemberId, item: VerifiedItem | undefined): boolean {
  if (item === undefined || item.leaf.outcome !== OUTCOMES.committed) return false;
  const operation = decodeOperation(item.transaction.body.kind, item.transaction.signed.parts);
  if (isReject(operation)) return false;
  if (operation.kind === 'recoveryShares') return operation.contents[0].leaving.includes(member);
  return operation.kind === 'participantRemove' && operation.contents[0].member === member;
}

/**
 * What a scope's state says that this member may read of its log.
 *
 * @param state of which the caller knows that it is the scope's
 * @returns `not_readable` where the state does not let this member go on reading
 */
export function readableNow(
  member: MemberId,
  ref: ScopeRef,
  state: Uint8Array,
): readonly ReadableRange[] | Reject {
  const ranges = readableIn(member, ref, state);
  if (isReject(ranges) || ranges.at(-1)?.to === null) return ranges;
  return reject('not_readable', `${ref.scope} ${ref.id} is not this member's`);
}

/** As `readableNow`, also of a phase that the member was removed from. */
export function readableIn(
  member: MemberId,
  ref: ScopeRef,
  state: Uint8Array,
): readonly ReadableRange[] | Reject {
  if (ref.scope === 'system') return WHOLE;
  if (ref.scope === 'project') {
    const project = decodeProjectState(state);
    if (isReject(project)) return project;
    return project.owner === member ? WHOLE : [];
  }
  const phase = decodePhaseState(state);
  return isReject(phase) ? phase : phaseRanges(phase, member);
}

function readItems(suite: Suite, header: Header, logId: LogId, part: LogPart): VerifiedItem[] | Reject {
  const items: VerifiedItem[] = [];
  for (const [index, sent] of part.items.entries()) {
    const item = readLogItem(suite.sha256, header, logId, part.from + index, sent);
    if (isReject(item)) return item;
    items.push(item);
  }
  return items;
}

/**
 * Verifies a part of a log under a certified header: the log's entry is in the header's map, and the items with all before
 * them are a prefix of that log (RFC 9162 consistency). So each round of a long log, each range of a member that was
 * added again, and the shorter log of a removed one, is proven by itself [77] [78] [82] [83].
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
  const start = startOf(held?.ranges ?? [], part);
  if (isReject(start)) return start;
  const items = readItems(suite, header, logId, part);
  if (isReject(items)) return items;
  const hashes = items.map(item => item.leafHash);
  const end = appendLeaves(sha256, start, hashes);
  const { size, root } = part.entry;
  if (end.size > size) return reject('invented', `${end.size - size} leaves too many`);
  const claim = { first: end.size, firstRoot: frontierRoot(sha256, end), second: size, secondRoot: root };
  if (!verifyConsistency(sha256, { ...claim, path: part.consistency })) {
    return reject('wrong_root', `the leaves of log ${logId} are not those of height ${header.height}`);
  }
  const ranges = joined(held?.ranges ?? [], { start, end });
  if (isReject(ranges)) return ranges;
  const top = lastEnd({ ranges }).size;
  const isNewTop = items.length > 0 && end.size === top;
  const atRemoval = isNewTop ? isRemovalOf(member, items.at(-1)) : (held?.ended ?? false);
  if (part.ended && !atRemoval && top === size) {
    return reject('withheld', 'access is said to have ended, and no leaf removes this member');
  }
  return { items, ranges, ended: part.ended && atRemoval };
}
