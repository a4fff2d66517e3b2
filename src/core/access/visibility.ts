import type { LogId, MemberId } from '../base/ids.ts';
import { findMember, readLogScope, readPhase, readProject, readSystem } from '../ledger/read.ts';
import type { PhaseState, StateView } from '../types/state.ts';

/** Positions [from, to) of a log; `to` is null where reading goes on with the log. */
export interface ReadableRange {
  readonly from: number;
  readonly to: number | null;
}

const WHOLE: readonly ReadableRange[] = [{ from: 0, to: null }];

/** Sorted by `from`, without overlaps or gaps of nothing between. */
function merged(ranges: readonly ReadableRange[]): ReadableRange[] {
  const result: ReadableRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last === undefined || (last.to !== null && last.to < range.from)) {
      result.push(range);
      continue;
    }
    const to = last.to === null || range.to === null ? null : Math.max(last.to, range.to);
    result[result.length - 1] = { from: last.from, to };
  }
  return result;
}

function phaseRanges(phase: PhaseState, member: MemberId): readonly ReadableRange[] {
  if (phase.owner === member) return WHOLE;
  const current = phase.participants.filter(entry => entry.member === member);
  const former = phase.former.filter(entry => entry.member === member);
  return merged([
    ...current.map(entry => ({ from: entry.startPosition, to: null })),
    ...former.map(entry => ({ from: entry.startPosition, to: entry.endPosition })),
  ]);
}

/**
 * What a member may read of a log: everything of `system`; its own projects; its own phases; the phases it takes part in from
 * where its grant begins; those it was removed from up to and including the leaf of the removal. One that was added
 * again after a removal has several ranges [83]. A revoked member has none.
 */
export function readableRanges(view: StateView, member: MemberId, logId: LogId): readonly ReadableRange[] {
  if (findMember(readSystem(view), member)?.revoked !== false) return [];
  const ref = readLogScope(view, logId);
  if (ref === null) return [];
  if (ref.scope === 'system') return WHOLE;
  if (ref.scope === 'project') return readProject(view, ref.id)?.owner === member ? WHOLE : [];
  const phase = readPhase(view, ref.id);
  return phase === null ? [] : phaseRanges(phase, member);
}

/** The last of the readable ranges: the one that goes on, or the one that a removal ended last. */
export function readableRange(view: StateView, member: MemberId, logId: LogId): ReadableRange | null {
  return readableRanges(view, member, logId).at(-1) ?? null;
}
