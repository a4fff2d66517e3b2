import type { Mutant } from './mutant.ts';

const CLAIMS = 'core/light/claim-verify.ts';
const EVIDENCE = 'core/light/evidence.ts';
const CAUGHT_BY_CLAIMS = ['test/unit/light/claims.test.ts'];
const CAUGHT_BY_DOSSIER = ['test/unit/light/dossier.test.ts'];

/** What a third party takes for proven. */
export const proofMutants: readonly Mutant[] = [
  {
    name: 'proof-range-open-at-its-beginning',
    file: CLAIMS,
    find: 'const open = range.from === 0 || (first !== undefined && measure(first) < claim.from);',
    replace: 'const open = range.from >= 0 || (first !== undefined && measure(first) < claim.from);',
    caughtBy: CAUGHT_BY_CLAIMS,
  },
  {
    name: 'proof-range-open-at-its-end',
    file: CLAIMS,
    find: 'const closed = reachesEnd(range) || (last !== undefined && measure(last) >= claim.to);',
    replace: 'const closed = reachesEnd(range) || last !== undefined;',
    caughtBy: CAUGHT_BY_CLAIMS,
  },
  {
    name: 'proof-of-absence-from-a-part-of-the-log',
    file: CLAIMS,
    find: 'if (range.from > 0 || !reachesEnd(range))',
    replace: 'if (range.from > 0)',
    caughtBy: CAUGHT_BY_CLAIMS,
  },
  {
    name: 'dossier-logs-not-compared-with-the-map',
    file: EVIDENCE,
    find: 'if (openedView(sha256, map, entries)?.hash === header.mapRoot) return null;',
    replace: 'if (openedView(sha256, map, entries) !== null) return null;',
    caughtBy: CAUGHT_BY_DOSSIER,
  },
  {
    name: 'map-opening-with-hashes-left-over',
    file: 'core/merkle/map-opening.ts',
    find: 'return bits.next().done === true && hashes.next().done === true ? view : null;',
    replace: 'return view;',
    caughtBy: ['test/unit/merkle/map-opening.test.ts'],
  },
  {
    name: 'members-of-a-state-in-any-order',
    file: 'core/merkle/range.ts',
    find: 'if (size === 0 || !isAscending || (positions.at(-1) ?? 0) >= size) return null;',
    replace: 'if (size === 0 || (positions.at(-1) ?? 0) >= size) return null;',
    caughtBy: ['test/unit/merkle/map-opening.test.ts'],
  },
  {
    name: 'purge-before-the-end-of-the-retention',
    file: 'core/access/retention.ts',
    find: 'return retention !== null && (retention.dueMs === null || timeMs < retention.dueMs);',
    replace: 'return retention !== null && retention.dueMs !== null && timeMs < retention.dueMs;',
    caughtBy: ['test/unit/ledger/retention.test.ts'],
  },
  {
    name: 'archiving-begins-the-retention-anew',
    file: 'core/access/phases.ts',
    find: 'const closedMs = ended ? phase.closedMs || timeMs : 0;',
    replace: 'const closedMs = ended ? timeMs : 0;',
    caughtBy: ['test/unit/ledger/retention.test.ts'],
  },
  {
    name: 'dossier-state-taken-for-a-member',
    file: EVIDENCE,
    find: 'return index > 0 ? decodeMember(member)',
    replace: 'return index >= 0 ? decodeMember(member)',
    caughtBy: CAUGHT_BY_DOSSIER,
  },
  {
    name: 'field-of-a-record-shown-with-another-value',
    file: 'core/light/fields.ts',
    find: 'writer.u32(index).u32(size).text(field.name).text(field.value);',
    replace: 'writer.u32(index).u32(size).text(field.name);',
    caughtBy: CAUGHT_BY_DOSSIER,
  },
];
