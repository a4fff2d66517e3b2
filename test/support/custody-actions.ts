import { leavingHolders } from '../../src/core/access/recovery.ts';
import type { MemberId, PhaseId } from '../../src/core/base/ids.ts';
import type { RecoveryOffer, RecoveryShares } from '../../src/core/types/custody.ts';
import type { Transaction } from '../../src/core/types/transaction.ts';
import { Actions } from './ledger-actions.ts';
import { type Actor, bytesOf, hashOf, testSigner } from './ledger-kit.ts';

/** Complaints and recovery, with shares and secrets that are only as long as real ones. */
export class CustodyActions extends Actions {
  complain(actor: Actor, phase: PhaseId, epoch = this.phase(phase).epochs.length - 1): Transaction {
    const content = { phase, epoch, reason: 0 };
    return this.ledger.make(actor, 'epochComplaint', this.phaseLog(phase), [content]);
  }

  shares(
    actor: Actor,
    phase: PhaseId,
    threshold: number,
    members: readonly MemberId[],
    changes: Partial<RecoveryShares> = {},
  ): Transaction {
    const content = {
      ...{ phase, expectedMembershipVersion: this.phase(phase).membershipVersion, threshold },
      ...{ publicKey: testSigner('recovery').publicKey, commitment: hashOf('recovery') },
      ...{ fromEpoch: 0, history: bytesOf('history', 121) },
      shares: members.map(member => ({
        ...{ member, keyId: this.ledger.keyIdOf(member), commitment: hashOf(`share of ${member}`) },
        sealed: bytesOf(`share of ${member}`, 114),
      })),
      leaving: leavingHolders(
        this.phase(phase),
        members.map(member => ({ member })),
      ),
      ...changes,
    };
    return this.ledger.make(actor, 'recoveryShares', this.phaseLog(phase), [content]);
  }

  ask(actor: Actor, phase: PhaseId): Transaction {
    return this.ledger.make(actor, 'recoveryAsk', this.phaseLog(phase), [{ phase }]);
  }

  offer(actor: Actor, phase: PhaseId, to: MemberId, changes: Partial<RecoveryOffer> = {}): Transaction {
    const ask = this.phase(phase).recovery?.asks.find(({ member }) => member === to)?.number ?? 0;
    const sealed = bytesOf(`offer of ${actor.id}`, 114);
    const content = { phase, ask, keyId: this.ledger.keyIdOf(to), sealed, ...changes };
    return this.ledger.make(actor, 'recoveryOffer', this.phaseLog(phase), [content]);
  }
}
