import { describe, expect, it } from 'vitest';
import { validatorSetHash } from '../../../src/core/codec/chain.ts';
import { decodeSystemState, encodeSystemState } from '../../../src/core/codec/state.ts';
import type { Action } from '../../../src/core/types/governance.ts';
import { LIMITS } from '../../../src/core/types/limits.ts';
import { OUTCOMES } from '../../../src/core/types/outcome.ts';
import type { Parameters } from '../../../src/core/types/state.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { GovernanceActions } from '../../support/governance-actions.ts';
import { Actions } from '../../support/ledger-actions.ts';
import { createActor, TestLedger, testGenesis, testSigner } from '../../support/ledger-kit.ts';

const [admin, alice, bob, carol] = ['admin', 'alice', 'bob', 'carol'].map(name => createActor(name)) as [
  ReturnType<typeof createActor>,
  ReturnType<typeof createActor>,
  ReturnType<typeof createActor>,
  ReturnType<typeof createActor>,
];

/** Administrators admin, alice and bob, of whom `threshold` decide; carol is none; validators v1 to v4. */
function consortium(threshold = 2, parameters: Partial<Parameters> = {}) {
  const genesis = testGenesis([admin, alice, bob], [carol], parameters);
  const ledger = new TestLedger({ ...genesis, administratorThreshold: threshold });
  return { ledger, act: new Actions(ledger), govern: new GovernanceActions(ledger) };
}

const OTHER_KEY = testSigner('validator v1, next');

describe('a proposal', () => {
  it('[55] is carried out by the ballot that reaches the threshold, in that very block', () => {
    const { ledger, govern } = consortium();
    expect(ledger.commit(govern.propose(alice, [govern.add('v5')]))).toEqual(['committed']);
    expect(govern.proposal(1)).toMatchObject({
      number: 1,
      proposer: 'alice',
      height: 1,
      position: 0,
      status: 'open',
      ballots: [{ member: 'alice', approve: true, height: 1 }],
    });
    expect(govern.validators).toHaveLength(4);
    expect(ledger.commit(govern.vote(bob, 1))).toEqual(['committed']);
    expect(govern.proposal(1)).toMatchObject({ status: 'executed', closedHeight: 2, reason: 0 });
    expect(govern.validators).toEqual(['v1', 'v2', 'v3', 'v4', 'v5']);
    const { validatorSet, setChangeHeight, governance } = govern.system;
    expect(setChangeHeight).toBe(2);
    expect(validatorSet.id).toBe(1);
    expect(governance.addresses).toEqual([
      { peerId: 'peer-of-validator-v5', addresses: ['/ip4/10.0.0.9/tcp/7801'] },
    ]);
    const header = ledger.head.header;
    expect(header.validatorSetId).toBe(0);
    expect(header.previousSetChangeHeight).toBe(0);
    expect(header.nextValidatorSetHash).toBe(validatorSetHash(nodeSuite.sha256, validatorSet));
    expect(header.nextValidatorSetHash).not.toBe(header.validatorSetHash);
    ledger.commit(new Actions(ledger).createProject(carol, header.parentHash));
    expect(ledger.head.header).toMatchObject({
      validatorSetId: 1,
      validatorSetHash: header.nextValidatorSetHash,
      nextValidatorSetHash: header.nextValidatorSetHash,
      previousSetChangeHeight: 2,
    });
  });

  it('is carried out at once where one administrator decides', () => {
    const { ledger, govern } = consortium(1);
    ledger.commit(govern.propose(bob, [govern.remove('v2'), govern.add('v5')]));
    expect(govern.validators).toEqual(['v1', 'v3', 'v4', 'v5']);
    expect(govern.proposal(1).status).toBe('executed');
  });

  it('is rejected when the threshold cannot be reached any more', () => {
    const { ledger, govern } = consortium();
    ledger.commit(govern.propose(alice, [govern.remove('v1'), govern.add('v5')]));
    ledger.commit(govern.vote(bob, 1, false));
    expect(govern.proposal(1).status).toBe('open');
    ledger.commit(govern.vote(admin, 1, false));
    expect(govern.proposal(1)).toMatchObject({ status: 'rejected', closedHeight: 3 });
    expect(govern.validators).toEqual(['v1', 'v2', 'v3', 'v4']);
  });

  it('counts administrators of now only, by the threshold of now', () => {
    const { ledger, act, govern } = consortium(3);
    ledger.commit(govern.propose(alice, [govern.add('v5')]));
    ledger.commit(govern.vote(bob, 1));
    expect(govern.proposal(1).status).toBe('open');
    expect(
      ledger.commit(govern.propose(admin, [govern.administrators(['admin', 'alice', 'bob'], 2)])),
    ).toEqual(['committed']);
    ledger.commit(govern.vote(alice, 2), govern.vote(bob, 2));
    expect(govern.system.administratorThreshold).toBe(2);
    expect(ledger.commit(act.revoke(bob, bob.id))).toEqual(['committed']);
    ledger.commit(govern.vote(admin, 1, false));
    expect(govern.proposal(1)).toMatchObject({ status: 'rejected' });
  });

  it('is what takes an administrator away where several decide; then one of them may revoke it', () => {
    const { ledger, act, govern } = consortium();
    expect(ledger.commit(act.revoke(admin, bob.id))).toEqual(['isAdministrator']);
    ledger.commit(govern.propose(admin, [govern.administrators(['admin', 'alice'], 2)]));
    ledger.commit(govern.vote(alice, 1));
    expect(ledger.commit(act.revoke(admin, bob.id), act.revoke(admin, carol.id))).toEqual([
      'committed',
      'committed',
    ]);
    const alone = consortium(1);
    expect(alone.ledger.commit(alone.act.revoke(admin, bob.id))).toEqual(['committed']);
  });

  it('expires: after its height nobody votes, and the next change of the list says so', () => {
    const { ledger, act, govern } = consortium();
    ledger.commit(govern.propose(alice, [govern.add('v5')], { expiresHeight: 2 }));
    ledger.commit(act.createProject(carol, ledger.head.hash));
    expect(ledger.height).toBe(2);
    expect(ledger.commit(govern.vote(bob, 1))).toEqual(['proposalExpired']);
    expect(ledger.commit(govern.withdraw(alice, 1))).toEqual(['proposalExpired']);
    expect(govern.proposal(1).status).toBe('open');
    ledger.commit(govern.propose(bob, [govern.add('v6')]));
    expect(govern.proposal(1)).toMatchObject({ status: 'expired' });
    expect(govern.validators).toHaveLength(4);
  });

  it('is withdrawn by its proposer', () => {
    const { ledger, govern } = consortium();
    ledger.commit(govern.propose(alice, [govern.add('v5')]));
    expect(ledger.commit(govern.withdraw(bob, 1))).toEqual(['notProposer']);
    expect(ledger.commit(govern.withdraw(alice, 1))).toEqual(['committed']);
    expect(govern.proposal(1)).toMatchObject({ status: 'withdrawn', closedHeight: 3 });
    expect(ledger.commit(govern.vote(bob, 1))).toEqual(['proposalClosed']);
  });

  it('is stale when what it changes was changed meanwhile', () => {
    const { ledger, govern } = consortium();
    const other = govern.administrators(['admin', 'alice'], 2);
    ledger.commit(
      govern.propose(alice, [govern.add('v5')]),
      govern.propose(alice, [govern.parameters({ windowBlocks: 40 })]),
      govern.propose(bob, [other]),
      govern.propose(bob, [govern.add('v6')]),
      govern.propose(bob, [govern.parameters({ viewTimeoutMs: 2_000 })]),
    );
    ledger.commit(govern.vote(admin, 4));
    expect(govern.validators).toContain('v6');
    const statuses = () => [1, 2, 3, 4, 5].map(number => govern.proposal(number).status);
    expect(statuses()).toEqual(['stale', 'open', 'open', 'executed', 'open']);
    ledger.commit(govern.vote(admin, 5));
    expect(statuses()).toEqual(['stale', 'open', 'open', 'executed', 'executed']);
    ledger.commit(govern.vote(admin, 2));
    expect(govern.system.parameters).toMatchObject({ windowBlocks: 40, viewTimeoutMs: 2_000 });
    ledger.commit(govern.vote(admin, 3));
    expect(govern.system.administrators).toEqual(['admin', 'alice']);
    expect(statuses()[2]).toBe('executed');
  });

  it('[59] that passes and cannot be carried out changes nothing and says why', () => {
    const { ledger, act, govern } = consortium();
    const erin = createActor('erin', 0, ['peer-of-validator-v5']);
    ledger.commit(govern.propose(alice, [govern.add('v5'), govern.parameters({ windowBlocks: 40 })]));
    ledger.commit(act.register(admin, erin));
    const before = govern.system;
    expect(ledger.commit(govern.vote(bob, 1))).toEqual(['committed']);
    expect(govern.proposal(1)).toMatchObject({ status: 'failed', reason: OUTCOMES.peerIdTaken });
    expect(govern.system.parameters).toEqual(before.parameters);
    expect(govern.system.validatorSet).toEqual(before.validatorSet);
    expect(ledger.head.header.nextValidatorSetHash).toBe(ledger.head.header.validatorSetHash);
  });

  it('changes the set once in a block: the second ballot of that block can be cast again', () => {
    const { ledger, govern } = consortium(1);
    const first = govern.propose(alice, [govern.add('v5')]);
    const second = govern.propose(bob, [govern.add('v6')], { validatorSetId: 1 });
    expect(ledger.commit(first, second)).toEqual(['committed', 'setChangedInBlock']);
    expect(ledger.commit(govern.propose(bob, [govern.add('v6')]))).toEqual(['committed']);
    expect(govern.system.validatorSet.id).toBe(2);
  });
});

describe('what a proposal may not be', () => {
  const cases: readonly [
    string,
    string,
    (govern: GovernanceActions) => readonly Action[] | { actions: readonly Action[]; changes: object },
  ][] = [
    ['malformed', 'without an action', () => []],
    ['malformed', 'with two changes of one validator', g => [g.remove('v1'), g.rekey('v1', OTHER_KEY)]],
    ['malformed', 'with a validator name that is none', g => [g.add('V5')]],
    ['malformed', 'without a title', g => ({ actions: [g.add('v5')], changes: { title: '' } })],
    [
      'proposalExpired',
      'over before it begins',
      g => ({ actions: [g.add('v5')], changes: { expiresHeight: 0 } }),
    ],
    ['staleVersion', 'for another set', g => ({ actions: [g.add('v5')], changes: { validatorSetId: 1 } })],
    [
      'staleVersion',
      'for other parameters',
      () => [{ type: 'parameters', changes: [{ name: 'windowBlocks', before: 33, after: 40 }] }],
    ],
    [
      'staleVersion',
      'for other administrators',
      g => [{ ...g.administrators(['alice'], 1), before: { members: [], threshold: 2 } }],
    ],
    ['unknownValidator', 'about a validator that is not there', g => [g.remove('v9')]],
    ['unknownValidator', 'with a new key for nobody', g => [g.rekey('v9', OTHER_KEY)]],
    ['validatorExists', 'with a name twice', g => [g.add('v2', {}, OTHER_KEY)]],
    [
      'peerIdTaken',
      'with the peer id of a validator',
      g => [g.add('v5', { peerId: 'peer-of-validator-v2' })],
    ],
    ['peerIdTaken', 'with the peer id of a member', g => [g.add('v5', { peerId: 'peer-of-carol' })]],
    [
      'peerIdTaken',
      'with one peer id for two',
      g => [g.add('v5', { peerId: 'p' }), g.add('v6', { peerId: 'p' })],
    ],
    ['consensusKeyTaken', 'with the key of a validator', g => [g.add('v5', {}, testSigner('validator v2'))]],
    ['consensusKeyTaken', 'with the key in use', g => [g.rekey('v1', testSigner('validator v1'))]],
    ['consensusKeyTaken', 'with one key for two', g => [g.rekey('v1', OTHER_KEY), g.rekey('v2', OTHER_KEY)]],
    [
      'badProof',
      'without possession of the key',
      g => [{ ...g.add('v5'), proof: OTHER_KEY.sign(new Uint8Array(9)) }],
    ],
    ['badProof', 'with a proof for another validator', g => [g.rekey('v1', OTHER_KEY, { name: 'v2' })]],
    ['badProof', 'with a proof for another peer id', g => [g.rekey('v1', OTHER_KEY, { peerId: 'other' })]],
    ['setTooSmall', 'that empties the set', g => ['v1', 'v2', 'v3', 'v4'].map(name => g.remove(name))],
    ['setTooSmall', 'after which no fault is tolerated', g => [g.remove('v1')]],
    [
      'limitReached',
      'beyond an administrator’s share',
      g => {
        for (let index = 0; index < LIMITS.proposalsPerMember; index += 1)
          g.ledger.commit(g.propose(alice, [g.parameters({ windowBlocks: 40 + index })]));
        return [g.add('v5')];
      },
    ],
    ['badParameters', 'with a value out of bounds', g => [g.parameters({ windowBlocks: 100_000 })]],
    ['badParameters', 'with values that do not fit', g => [g.parameters({ windowBlocks: 8 })]],
    ['badParameters', 'that forgets transactions too early', g => [g.parameters({ replayWindowBlocks: 99 })]],
    ['badAdministrators', 'with nobody in charge', g => [g.administrators([], 0)]],
    ['badAdministrators', 'with a threshold nobody reaches', g => [g.administrators(['alice'], 2)]],
    ['badAdministrators', 'with a stranger', g => [g.administrators(['alice', 'zoe'], 1)]],
    ['badAdministrators', 'not sorted', g => [g.administrators(['bob', 'alice'], 1)]],
    ['badActivation', 'of the version that is there', g => [g.version(1, 1000)]],
    ['badActivation', 'that begins while it can be voted on', g => [g.version(2, 10)]],
    ['staleVersion', 'after another version', g => [g.version(3, 1000, 2)]],
  ];

  it.each(cases)('[59] %s: one %s', (outcome, _, make) => {
    const { ledger, govern } = consortium();
    const made = make(govern);
    const before = govern.system.version;
    const { actions, changes } = 'actions' in made ? made : { actions: made, changes: {} };
    expect(ledger.commit(govern.propose(alice, actions, changes))).toEqual([outcome]);
    expect(govern.system.version).toBe(before);
    expect(govern.validators).toEqual(['v1', 'v2', 'v3', 'v4']);
  });

  it('[59] a set that the parameters have no room for', () => {
    const { ledger, govern } = consortium(1, { windowBlocks: 256 });
    const named = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => govern.add(`w${from + index}`));
    const most = LIMITS.actionsPerProposal;
    expect(ledger.commit(govern.propose(alice, named(0, most)))).toEqual(['committed']);
    expect(ledger.commit(govern.propose(alice, named(most, most)))).toEqual(['badParameters']);
    const smaller = govern.parameters({ windowBlocks: 32 });
    expect(ledger.commit(govern.propose(alice, [smaller, ...named(most, most - 1)]))).toEqual(['committed']);
    expect(govern.validators).toHaveLength(4 + 2 * most - 1);
  });

  it('by anybody but an administrator, about nothing, or twice', () => {
    const { ledger, act, govern } = consortium();
    expect(ledger.commit(govern.propose(carol, [govern.add('v5')]))).toEqual(['notAdministrator']);
    ledger.commit(govern.propose(alice, [govern.add('v5')]));
    expect(
      ledger.commit(
        govern.vote(carol, 1),
        govern.vote(bob, 2),
        govern.withdraw(alice, 2),
        govern.vote(alice, 1),
        govern.vote(alice, 1, false),
      ),
    ).toEqual(['notAdministrator', 'unknownProposal', 'unknownProposal', 'alreadyVoted', 'alreadyVoted']);
    ledger.commit(act.revoke(bob, bob.id));
    expect(ledger.execute([govern.vote(bob, 1)])).toMatchObject({ reject: 'sender_revoked' });
  });
});

describe('the list of proposals', () => {
  it('forgets the oldest closed ones, and an administrator that leaves takes its open ones along', () => {
    const { ledger, govern } = consortium(1);
    for (let round = 0; round < LIMITS.closedProposals + 3; round += 1) {
      ledger.commit(govern.propose(alice, [govern.parameters({ viewTimeoutMs: 1_500 + round })]));
    }
    const numbers = govern.system.governance.proposals.map(({ number }) => number);
    expect(numbers).toHaveLength(LIMITS.closedProposals);
    expect(numbers[0]).toBe(4);
    const other = consortium(2);
    other.ledger.commit(other.govern.propose(bob, [other.govern.add('v5')]));
    other.ledger.commit(other.govern.propose(alice, [other.govern.administrators(['admin', 'alice'], 1)]));
    other.ledger.commit(other.govern.vote(admin, 2));
    expect(other.govern.proposal(1).status).toBe('stale');
  });

  it('is part of the certified state: decoded and encoded again it has the same bytes', () => {
    const { ledger, govern } = consortium(3);
    const actions = [
      govern.add('v5'),
      govern.remove('v2'),
      govern.rekey('v1', OTHER_KEY),
      govern.parameters({ windowBlocks: 40, viewTimeoutMs: 900 }),
      govern.administrators(['alice'], 1),
      govern.version(2, 5000),
    ];
    ledger.commit(govern.propose(alice, actions), govern.evidence(govern.equivocation('v3')));
    const system = govern.system;
    expect(system.governance.proposals[0]?.actions).toEqual(actions);
    expect(decodeSystemState(encodeSystemState(system))).toEqual(system);
  });
});

describe('the key of a validator', () => {
  it('[58] changes in place, again and again, and an old one never comes back', () => {
    const { ledger, govern } = consortium(1);
    ledger.commit(govern.propose(alice, [govern.rekey('v1', OTHER_KEY)]));
    expect(govern.validators).toEqual(['v1', 'v2', 'v3', 'v4']);
    expect(govern.system.validatorSet.validators[0]?.publicKey).toEqual(OTHER_KEY.publicKey);
    const first = govern.rekey('v1', testSigner('validator v1'));
    expect(ledger.commit(govern.propose(alice, [first]))).toEqual(['consensusKeyTaken']);
    expect(ledger.commit(govern.propose(alice, [govern.rekey('v1', testSigner('third'))]))).toEqual([
      'committed',
    ]);
    expect(govern.system.validatorSet.id).toBe(2);
  });
});

describe('a protocol version', () => {
  it('stands in the headers from its height on; a program that does not know it makes no such block', () => {
    const { ledger, act, govern } = consortium(1);
    ledger.commit(govern.propose(alice, [govern.version(2, 4)], { expiresHeight: 3 }));
    ledger.commit(act.createProject(carol, ledger.head.hash));
    ledger.commit(act.createProject(carol, ledger.head.hash));
    expect(ledger.head.header).toMatchObject({ height: 3, version: 1 });
    expect(ledger.execute([act.createProject(carol, ledger.head.hash)])).toMatchObject({
      reject: 'unknown_version',
      detail: 'block version 2',
    });
  });
});
