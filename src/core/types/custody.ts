import type { Hash, MemberId, PhaseId } from '../base/ids.ts';

/** Why an envelope gave its holder nothing. */
export const COMPLAINT_REASONS = { unopened: 0, wrongSecret: 1 } as const;

/** By a key holder whose envelope of the current epoch is no good; once a holder an epoch. */
export interface EpochComplaint {
  readonly phase: PhaseId;
  readonly epoch: number;
  /** Of `COMPLAINT_REASONS`: its word, which nobody can check. */
  readonly reason: number;
}

/** As the phase keeps it, until the epoch after the next is opened. */
export interface Complaint {
  readonly member: MemberId;
  readonly epoch: number;
  readonly reason: number;
  readonly height: number;
  /** Epochs in a row that it complained about, this one among them. */
  readonly times: number;
}

/** A share of the recovery key, for one holder. */
export interface SealedShare {
  readonly member: MemberId;
  readonly keyId: number;
  /** Of the share: a wrong one that is offered later is known by it. */
  readonly commitment: Hash;
  readonly sealed: Uint8Array;
}

/** Splits the key that opens the phase's history among holders; replaces the shares before. */
export interface RecoveryShares {
  readonly phase: PhaseId;
  readonly expectedMembershipVersion: number;
  /** Shares that give the key; fewer give nothing. */
  readonly threshold: number;
  /** Public half of the recovery key, and the commitment to its secret. */
  readonly publicKey: Uint8Array;
  readonly commitment: Hash;
  /** First epoch that `history` has the secret of. */
  readonly fromEpoch: number;
  /** The secrets of the epochs so far, to `publicKey`; each later opening brings its own. */
  readonly history: Uint8Array;
  /** Ascending by member. */
  readonly shares: readonly SealedShare[];
  /** Holders before, ascending, whose reading of the log ends with this leaf: it says so to themselves. */
  readonly leaving: readonly MemberId[];
}

/** By a participant that lacks secrets of the phase: asks the holders for their shares. */
export interface RecoveryAsk {
  readonly phase: PhaseId;
}

/** A holder's share, sealed to who asked. */
export interface RecoveryOffer {
  readonly phase: PhaseId;
  /** Number of the ask. */
  readonly ask: number;
  readonly keyId: number;
  readonly sealed: Uint8Array;
}

export interface RecoveryHolder {
  readonly member: MemberId;
  readonly commitment: Hash;
  /** First position of the log that it may read: it need not be a participant. */
  readonly startPosition: number;
}

export interface OpenAsk {
  /** Position of its leaf in the phase's log. */
  readonly number: number;
  readonly member: MemberId;
  readonly height: number;
  /** Who has offered, in order. */
  readonly offers: readonly MemberId[];
}

/** What the phase keeps of its shares. */
export interface Recovery {
  /** Position of the leaf that brought them. */
  readonly number: number;
  readonly threshold: number;
  readonly publicKey: Uint8Array;
  readonly commitment: Hash;
  readonly fromEpoch: number;
  /** Who made the key, and so may know it. */
  readonly dealer: MemberId;
  /** True once somebody who may know the key may be out: later epochs are not sealed to it, and need other shares. */
  readonly ended: boolean;
  /** Ascending by member. */
  readonly holders: readonly RecoveryHolder[];
  /** One a participant, oldest first. */
  readonly asks: readonly OpenAsk[];
}
