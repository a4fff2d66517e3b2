import type { Hash, LogId, Sha256 } from '../base/ids.ts';
import { mapKeyOf, mapValueOf, systemSections } from '../codec/state.ts';
import { leafHash, treeRoot } from '../merkle/log.ts';
import { EMPTY_OPENING, type MapOpening, openMap } from '../merkle/map-opening.ts';
import { type MapView, mergeViews, viewOfProof } from '../merkle/map-view.ts';
import { hashesBeside } from '../merkle/range.ts';
import type { LogEntry, SystemState } from '../types/state.ts';
import type { ProvenEntry, ProvenMembers } from './dossier.ts';

/** The map on the paths to these logs, from the proof of each under one head. */
export function openLogs(sha256: Sha256, logs: ReadonlyMap<LogId, ProvenEntry>): MapOpening {
  const keys: Hash[] = [];
  let view: MapView | null = null;
  for (const [logId, { entry, siblings }] of logs) {
    const key = mapKeyOf(sha256, logId);
    const leaf = { key, value: mapValueOf(sha256, entry) };
    const path = viewOfProof(sha256, key, { siblings, leaf });
    keys.push(key);
    view = view === null ? path : mergeViews(view, path);
  }
  return view === null ? EMPTY_OPENING : openMap(view, keys.sort());
}

/**
 * Sections of the system state with what proves them.
 * @param wanted ids of members; those that are not there are left out. Null for all
 * @param entry of the system log in the head's map
 */
export function provenMembers(
  sha256: Sha256,
  state: SystemState,
  wanted: Iterable<string> | null,
  { size, root }: Pick<LogEntry, 'size' | 'root'>,
): ProvenMembers {
  const sections = systemSections(state);
  const hashes: Hash[] = sections.map(section => leafHash(sha256, section));
  const ids = wanted === null ? null : new Set(wanted);
  const members = state.members.flatMap(({ id }, at) => {
    return ids === null || ids.has(id) ? [{ index: at + 1, member: sections[at + 1]! }] : [];
  });
  const rootOf = (from: number, to: number) => treeRoot(sha256, hashes.slice(from, to));
  const shown = members.map(({ index }) => index);
  return {
    size,
    root,
    sections: sections.length,
    members,
    beside: hashesBeside(rootOf, shown, hashes.length),
  };
}
