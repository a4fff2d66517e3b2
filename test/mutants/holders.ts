import type { Mutant } from './mutant.ts';

const ACCESS = 'services/files/access.ts';
const INDEX = 'services/files/file-index.ts';
const LOCAL = 'services/files/local-files.ts';
const PLACEMENT = 'core/placement/placement.ts';
const PLAN = 'core/placement/plan.ts';
const PURGER = 'services/files/purger.ts';
const RECEIPTS = 'services/files/receipts.ts';
const REPLICATOR = 'services/files/replicator.ts';

/** What members' nodes do with files: whom they serve, what they sign, what they keep. */
export const holderMutants: readonly Mutant[] = [
  {
    name: 'file-served-to-whoever-names-its-cid',
    file: ACCESS,
    find: 'if (named.length === 0 || file.phase === phase) return named[0] ?? null;',
    replace: 'if (named.length >= 0 || file.phase === phase) return named[0] ?? null;',
    caughtBy: 'holders',
    quick: true,
  },
  {
    name: 'file-served-to-who-has-left-the-phase',
    file: ACCESS,
    find: 'ledger.phase(phaseId)?.readers.includes(member) === true;',
    replace: 'ledger.phase(phaseId) !== null;',
    caughtBy: 'holders',
  },
  {
    name: 'receipt-for-a-copy-found-damaged',
    file: RECEIPTS,
    find: 'index.root(entry.cid)?.whole === true',
    replace: 'index.root(entry.cid) !== null',
    caughtBy: 'holders',
  },
  {
    name: 'receipt-before-the-copy-is-durable',
    file: INDEX,
    find: 'await this.write(roots, true);',
    replace: 'await this.write(roots, false);',
    caughtBy: 'holders',
  },
  {
    name: 'receipt-refused-by-the-network-forgotten',
    file: RECEIPTS,
    find: 'for (const entry of due) this.add(phase, entry);\n    return false;',
    replace: 'return true;',
    caughtBy: 'holders',
  },
  {
    name: 'put-ends-before-its-last-blocks-are-stored',
    file: LOCAL,
    find: 'await buffer.flush();\n      await index.addWhole(files);',
    replace: 'const flushed = buffer.flush();\n      await index.addWhole(files);\n      void flushed;',
    caughtBy: 'holders',
  },
  {
    name: 'garbage-collector-takes-what-records-name',
    file: 'services/files/garbage.ts',
    find: 'ledger.references(phase, root).length > 0',
    replace: 'ledger.references(phase, root).length > 1',
    caughtBy: 'holders',
  },
  {
    name: 'copies-of-former-participants-counted',
    file: PLACEMENT,
    find: 'const holders = ranked.filter(member => signed.has(member));',
    replace: 'const holders = input.receipts;',
    caughtBy: 'holders',
  },
  {
    name: 'target-of-zero-copies-taken-at-its-word',
    file: PLACEMENT,
    find: 'return policy.copiesTarget === 0 ? participants : Math.min(policy.copiesTarget, participants);',
    replace: 'return Math.min(policy.copiesTarget, participants);',
    caughtBy: 'holders',
  },
  {
    name: 'lost-copy-not-fetched-again',
    file: PLAN,
    find: "if (signed) return { deed: 'fetch', urgency: 'lost' };",
    replace:
      "if (signed && local === 'none') return { deed: 'fetch', urgency: 'lost' };\n  if (signed) return NOTHING;",
    caughtBy: 'holders',
  },
  {
    name: 'placement-not-asked-again-when-participants-change',
    file: REPLICATOR,
    find: 'known?.members === members ? known.position : 0;',
    replace: 'known?.position ?? 0;',
    caughtBy: 'holders',
  },
  {
    name: 'fetch-that-failed-not-tried-again',
    file: REPLICATOR,
    find: 'if (fault.permanent || !this.started) return;',
    replace: 'if (task.attempts > 1 || fault.permanent || !this.started) return;',
    caughtBy: 'holders',
  },
  {
    name: 'purge-acknowledged-while-a-part-stays',
    file: PURGER,
    find: 'if (index.root(cid) !== null) await local.drop(cid);',
    replace: 'if (index.root(cid)?.whole) await local.drop(cid);',
    caughtBy: 'holders',
  },
  {
    name: 'purged-file-kept-for-whoever-names-its-cid',
    file: PURGER,
    find: 'ledger.phasesOf(cid).some(other => entryOf(ledger, other, cid, record) !== null);',
    replace: 'ledger.phasesOf(cid).length > 0;',
    caughtBy: 'holders',
  },
  {
    name: 'purge-not-acknowledged-after-a-crash',
    file: PURGER,
    find: 'const answers = had || ledger.receipts(phase, cid).includes(ledger.member) || own !== undefined;',
    replace: 'const answers = had || own !== undefined;',
    caughtBy: 'holders',
  },
];
