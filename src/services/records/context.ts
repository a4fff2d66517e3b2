import type { LogId, MemberId, PhaseId, ProjectId, Suite } from '../../core/base/ids.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import type { PhaseCrypto } from '../../ports/phase-crypto.ts';
import type { PhaseFollower } from './follower.ts';
import type { OpenedCards } from './opened-cards.ts';
import type { LedgerAccess } from './ports.ts';
import type { RecordIndex } from './record-index.ts';
import type { TransactionSender } from './sender.ts';
import type { PhaseVault } from './vault.ts';

/** What every operation of this service works with: one member, its keys and its verified part of the ledger. */
export interface Context {
  readonly access: LedgerAccess;
  readonly crypto: PhaseCrypto;
  readonly suite: Suite;
  readonly member: MemberId;
  readonly vault: PhaseVault;
  readonly cards: OpenedCards;
  readonly index: RecordIndex;
  readonly follower: PhaseFollower;
  readonly sender: TransactionSender;
}

export function projectLog({ suite, access }: Context, project: ProjectId): LogId {
  return logIdOf(suite.sha256, access.chainId, 'project', project);
}

export function phaseLog({ suite, access }: Context, phase: PhaseId): LogId {
  return logIdOf(suite.sha256, access.chainId, 'phase', phase);
}
