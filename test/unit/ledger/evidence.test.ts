import { describe, expect, it } from 'vitest';
import type { MemberId } from '../../../src/core/base/ids.ts';
import { LIMITS } from '../../../src/core/types/limits.ts';
import type { Parameters } from '../../../src/core/types/state.ts';
import { GovernanceActions } from '../../support/governance-actions.ts';
import { Actions } from '../../support/ledger-actions.ts';
import { createActor, TestLedger, testGenesis } from '../../support/ledger-kit.ts';

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

describe('evidence', () => {
  it.each(['prePrepare', 'prepare', 'commit', 'checkpoint', 'viewChange', 'newView'] as const)(
    '[19][29] of two %s messages is recorded once for a slot',
    kind => {
      const { ledger, govern } = consortium();
      const proof = govern.equivocation('v2', kind, { view: 3, height: 9 });
      expect(ledger.commit(govern.evidence(proof))).toEqual(['committed']);
      expect(govern.system.governance.evidence).toMatchObject([
        { validator: 'v2', signer: 1, kind, validatorSetId: 0, height: 1, position: 0 },
      ]);
      const again = govern.equivocation('v2', kind, { view: 3, height: 9 }, ['third', 'fourth']);
      expect(ledger.execute([govern.evidence(again)])).toMatchObject({
        reject: 'evidence_known',
        peer: 'ignore',
      });
      expect(govern.validators).toContain('v2');
    },
  );

  it('twice in one block is recorded once', () => {
    const { ledger, govern } = consortium();
    const [one, other] = [
      govern.equivocation('v2'),
      govern.equivocation('v2', 'prepare', undefined, ['c', 'd']),
    ];
    expect(ledger.commit(govern.evidence(one), govern.evidence(other))).toEqual([
      'committed',
      'evidenceKnown',
    ]);
  });

  it('[36] is refused unless it convicts: nothing honest can be used', () => {
    const { ledger, govern } = consortium();
    const good = govern.equivocation('v2');
    const otherSlot = govern.equivocation('v2', 'prepare', { view: 0, height: 8 });
    const bad = [
      { ...good, second: good.first },
      { ...good, second: otherSlot.second },
      { ...good, signer: 0 },
      { ...good, signer: 9 },
      { ...good, validatorSetId: 1 },
      { ...good, kind: 'commit' as const },
      { ...good, second: { ...good.second, signature: good.first.signature } },
      { ...good, first: { ...good.first, body: good.first.body.slice(1) } },
    ];
    for (const proof of bad) {
      expect(ledger.execute([govern.evidence(proof)])).toMatchObject({
        reject: 'bad_evidence',
        peer: 'penalise',
      });
    }
  });

  it('has no sender: a member cannot send it, and nobody can be called so', () => {
    const { ledger, act, govern } = consortium();
    const proof = govern.equivocation('v2');
    const signature = new Uint8Array(64).fill(1);
    expect(ledger.execute([govern.evidence(proof, { sender: 'alice' })])).toMatchObject({
      reject: 'bad_evidence',
    });
    expect(ledger.execute([govern.evidence(proof, { signature })])).toMatchObject({ reject: 'bad_evidence' });
    const posing = ledger.make(
      { ...alice, id: 'evidence' as MemberId },
      'projectCreate',
      [ledger.logId('project', ledger.head.hash)],
      [{ project: ledger.head.hash, card: new Uint8Array(90) }],
    );
    expect(ledger.execute([posing])).toMatchObject({ reject: 'unknown_sender' });
    expect(ledger.commit(act.register(admin, createActor('evidence')))).toEqual(['memberExists']);
  });

  it('is bounded for each validator, and goes on against the set before', () => {
    const { ledger, govern } = consortium(1);
    for (let height = 0; height < LIMITS.evidencePerValidator; height += 1) {
      ledger.commit(govern.evidence(govern.equivocation('v2', 'prepare', { view: 1, height })));
    }
    const more = govern.equivocation('v2', 'prepare', { view: 1, height: 99 });
    expect(ledger.execute([govern.evidence(more)])).toMatchObject({ reject: 'evidence_known' });
    const ofOldSet = govern.equivocation('v3');
    ledger.commit(govern.propose(alice, [govern.remove('v3'), govern.add('v5')]));
    expect(ledger.commit(govern.evidence(ofOldSet))).toEqual(['committed']);
    expect(govern.system.governance.evidence.at(-1)).toMatchObject({ validator: 'v3', validatorSetId: 0 });
    const older = { ...ofOldSet, kind: 'prepare' as const };
    ledger.commit(govern.propose(alice, [govern.add('v6')]));
    expect(ledger.execute([govern.evidence(older)])).toMatchObject({ reject: 'bad_evidence' });
  });
});
