import type { Hash, Sha256 } from '../base/ids.ts';
import { systemSections } from '../codec/state.ts';
import { inclusionProof, leafHash, treeRoot } from '../merkle/log.ts';
import type { SystemState } from '../types/state.ts';
import type { ProvenMembers } from './dossier.ts';

/** Size and root of the system log and its place in the head's map. */
export type SystemEntry = Pick<ProvenMembers, 'size' | 'root' | 'siblings'>;

/**
 * Sections of the system state with their paths.
 * @param wanted ids of members; those that are not there are left out. Null for all
 */
export function provenMembers(
  sha256: Sha256,
  state: SystemState,
  wanted: Iterable<string> | null,
  entry: SystemEntry,
): ProvenMembers {
  const sections = systemSections(state);
  const hashes: Hash[] = sections.map(section => leafHash(sha256, section));
  const ids = wanted === null ? null : new Set(wanted);
  const members = state.members.flatMap(({ id }, at) => {
    if (ids !== null && !ids.has(id)) return [];
    const index = at + 1;
    const path = inclusionProof(sha256, position => hashes[position]!, index, hashes.length);
    return [{ index, member: sections[index]!, path }];
  });
  return { ...entry, sections: sections.length, sectionsRoot: treeRoot(sha256, hashes), members };
}
