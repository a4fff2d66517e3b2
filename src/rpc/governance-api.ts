import type { Reject } from '../core/base/reject.ts';
import type { Validator } from '../core/types/chain.ts';
import type { SystemState } from '../core/types/state.ts';
import type { ProposalInput, ProposalReceipt } from '../services/records/governance.ts';
import type { Committed } from '../services/records/sender.ts';

/** What a node knows of the consortium's own affairs: committed state, or verified data. */
export interface GovernanceReadApi {
  system(): SystemState;
  headHeight(): number;
  /** Peer ids of the nodes that this one is connected to, and its own. */
  reachedPeers(): readonly string[];
  /** Names of the validators whose votes certify the newest block. */
  signedHead(): readonly string[];
}

/** An administrator's node. */
export interface GovernanceApi extends GovernanceReadApi {
  createProposal(input: ProposalInput): Promise<ProposalReceipt | Reject>;
  voteOnProposal(proposal: number, approve: boolean): Promise<Committed | Reject>;
  withdrawProposal(proposal: number): Promise<Committed | Reject>;
}

/** What the administrators need to propose a consensus node: its entry, where it listens, and the proof of its key. */
export interface ValidatorCard {
  readonly validator: Validator;
  readonly addresses: readonly string[];
  readonly proof: Uint8Array;
}

/** A consensus node about itself. */
export interface ValidatorNodeApi {
  /** With the key in use; for a node that is to be added. */
  card(): ValidatorCard;
  /** With the next key, which is made when there is none. */
  newKey(): Promise<ValidatorCard>;
}
