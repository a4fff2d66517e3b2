import type { Mutant } from './mutant.ts';

const LEDGER = ['test/unit/ledger/custody.test.ts'];
const NODES = ['test/unit/records/custody.test.ts'];

/** Of who is given which keys: an owner that lets itself in, a past that nobody gave, shares that are none. */
export const custodyMutants: readonly Mutant[] = [
  {
    name: 'owner-without-keys-lets-itself-in',
    file: 'core/access/participants.ts',
    find: '() => demand(content.member !== context.sender.id, OUTCOMES.custodyForbids),',
    replace: '() => demand(content.member.length > 0, OUTCOMES.custodyForbids),',
    caughtBy: LEDGER,
  },
  {
    name: 'writing-goes-on-before-the-newcomer-has-keys',
    file: 'core/access/participants.ts',
    find: 'return content.envelope === null ? { ...grown, frozen: true } : grown;',
    replace: 'return grown;',
    caughtBy: LEDGER,
  },
  {
    name: 'opener-claims-a-past-that-it-does-not-hold',
    file: 'core/access/epochs.ts',
    find: 'demand(held <= historyFrom && historyFrom <= number, OUTCOMES.custodyForbids)',
    replace: 'demand(historyFrom <= number, OUTCOMES.custodyForbids)',
    caughtBy: LEDGER,
  },
  {
    name: 'epoch-not-sealed-to-the-recovery-key',
    file: 'core/access/epochs.ts',
    find: 'opening.recovery.length > 0 === (recoveryKeyOf(phase) !== null)',
    replace: 'opening.recovery.length >= 0',
    caughtBy: LEDGER,
  },
  {
    name: 'complaints-heeded-for-ever',
    file: 'core/access/complaints.ts',
    find: 'times <= HEEDED_TIMES',
    replace: 'times > 0',
    caughtBy: NODES,
  },
  {
    name: 'accused-opener-answers-first',
    file: 'services/records/rotation.ts',
    find: 'if (id === accused) return 2;',
    replace: 'if (id === accused) return -1;',
    caughtBy: NODES,
  },
  {
    name: 'offered-share-taken-unchecked',
    file: 'services/records/recovery-watch.ts',
    find: 'if (share === null || crypto.shareCommitment(share) !== committed) {',
    replace: 'if (share === null) {',
    caughtBy: NODES,
  },
  {
    name: 'history-not-given-to-who-was-granted-it',
    file: 'services/records/participants.ts',
    find: 'if (lacks === undefined) return [];',
    replace: 'if (lacks !== undefined) return [];',
    caughtBy: NODES,
  },
];
