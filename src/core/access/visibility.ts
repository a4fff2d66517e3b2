import type { LogId, MemberId } from '../base/ids.ts';
import { findMember, readLogScope, readPhase, readProject, readSystem } from '../ledger/read.ts';
import type { Span } from '../types/span.ts';
import type { FormerParticipant, PhaseState, StateView } from '../types/state.ts';
import { mayAct } from './standing.ts';

/** Positions [from, to) of a log; `to` is null where reading goes on with the log. */
export interface ReadableRange {
  readonly from: number;
  readonly to: number | null;
}

export const WHOLE: readonly ReadableRange[] = [{ from: 0, to: null }];

/** Sorted by `from`, without overlaps or gaps of nothing between; bounded where all of them are. */
export function mergeRanges<End extends number | null>(
  ranges: readonly { readonly from: number; readonly to: End }[],
): { from: number; to: End }[] {
  const result: { from: number; to: End }[] = [];
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last === undefined || (last.to !== null && last.to < range.from)) {
      result.push(range);
      continue;
    }
    const reachesFurther = last.to !== null && (range.to === null || range.to > last.to);
    if (reachesFurther) result[result.length - 1] = { from: last.from, to: range.to };
  }
  return result;
}

/** The stays of one who leaves as the ranges that it may read: those that touch are one, so coming and going again adds nothing. */
export function formerWith(
  former: readonly FormerParticipant[],
  { member, startPosition }: { readonly member: MemberId; readonly startPosition: number },
  endPosition: number,
): FormerParticipant[] {
  const earlier = former.filter(entry => entry.member === member);
  const ranges = mergeRanges([
    ...earlier.map(entry => ({ from: entry.startPosition, to: entry.endPosition })),
    { from: startPosition, to: endPosition },
  ]);
  return [
    ...former.filter(entry => entry.member !== member),
    ...ranges.map(({ from, to }) => ({ member, startPosition: from, endPosition: to })),
  ];
}

/** What the state of a phase itself says of a member that is not revoked: sorted, with gaps between. */
export function phaseRanges(phase: PhaseState, member: MemberId): readonly ReadableRange[] {
  if (phase.owner === member) return WHOLE;
  const current = phase.participants.filter(entry => entry.member === member);
  const former = phase.former.filter(entry => entry.member === member);
  const held = phase.recovery?.holders.filter(entry => entry.member === member) ?? [];
  return mergeRanges<number | null>([
    ...[...current, ...held].map(entry => ({ from: entry.startPosition, to: null })),
    ...former.map(entry => ({ from: entry.startPosition, to: entry.endPosition })),
  ]);
}

/** What an active member may read of a log; of one that is revoked or suspended this does not hold. */
export function activeRanges(view: StateView, member: MemberId, logId: LogId): readonly ReadableRange[] {
  const ref = readLogScope(view, logId);
  if (ref === null) return [];
  if (ref.scope === 'system') return WHOLE;
  if (ref.scope === 'project') return readProject(view, ref.id)?.owner === member ? WHOLE : [];
  const phase = readPhase(view, ref.id);
  return phase === null ? [] : phaseRanges(phase, member);
}

/**
 * What a member may read of a log: everything of `system`; its own projects; its own phases; the phases it takes part in from
 * where its grant begins; those of whose recovery key it holds a share, from there on; those it was removed from up to and including the leaf of the removal. One that was added
 * again after a removal has several ranges [83]. A revoked member has none, one that is suspended nothing but `system`.
 */
export function readableRanges(view: StateView, member: MemberId, logId: LogId): readonly ReadableRange[] {
  const found = findMember(readSystem(view), member);
  if (found === null || found.revoked) return [];
  if (!mayAct(found) && readLogScope(view, logId)?.scope !== 'system') return [];
  return activeRanges(view, member, logId);
}

/**
 * The first positions, in one piece, that may be read and are not held.
 *
 * @param readable sorted, without overlaps
 * @param held sorted, without overlaps
 * @param size leaves of the log
 * @returns null when everything readable is held
 */
export function firstMissing(
  readable: readonly ReadableRange[],
  held: readonly Span[],
  size: number,
): Span | null {
  let next = 0;
  for (const range of readable) {
    const end = Math.min(range.to ?? size, size);
    let from = range.from;
    while (from < end) {
      const span = held[next];
      if (span === undefined) return { from, to: end };
      if (span.from > from) return { from, to: Math.min(end, span.from) };
      from = Math.max(from, span.to);
      // A span may reach into the next range too.
      if (from < end) next += 1;
    }
  }
  return null;
}
