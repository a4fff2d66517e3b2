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
    name: 'dossier-leaves-not-compared-with-the-root',
    file: EVIDENCE,
    find: 'if (rootWithRight(sha256, last, log.right, entry.size) !== entry.root) {',
    replace: 'if (rootWithRight(sha256, last, log.right, entry.size) === null) {',
    caughtBy: CAUGHT_BY_DOSSIER,
  },
  {
    name: 'dossier-keys-not-compared-with-the-state',
    file: EVIDENCE,
    find: 'return index > 0 && proven ? decoded',
    replace: 'return index > 0 || proven ? decoded',
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
