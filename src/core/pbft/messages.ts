import type { BlockHash, Hash } from '../base/ids.ts';
import type { Block, Certificate, Header } from '../types/chain.ts';
import { EVIDENCE_KINDS } from '../types/governance.ts';

/** Numbers on the wire and in the write-ahead log, never reused: what binds its signer, and what does not. */
export const MESSAGE_KINDS = {
  ...EVIDENCE_KINDS,
  status: 7,
  complaint: 8,
} as const;

export type MessageKind = keyof typeof MESSAGE_KINDS;

/**
 * A message as it travels and as it is stored: resending it sends the same bytes. `signer` is a claim (an index in the
 * validator set) that only the signature proves (SCENARIOS 30).
 */
export interface SignedMessage {
  readonly kind: MessageKind;
  readonly validatorSetId: number;
  readonly signer: number;
  /** Canonical bytes of the content (`message-codec.ts`). */
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

/** The primary's proposal for (view, height). Signed over the block's hash, which commits to header and entries. */
export interface PrePrepare {
  readonly kind: 'prePrepare';
  readonly view: number;
  readonly newViewDigest: Hash;
  readonly block: Block;
}

/** Signed over `voteBytes`, so that a quorum of them is a `Certificate`. Everyone sends both, the primary too. */
export interface Vote {
  readonly kind: 'prepare' | 'commit';
  readonly view: number;
  readonly newViewDigest: Hash;
  readonly height: number;
  readonly blockHash: BlockHash;
}

/** "I hold the state after this block durably." A quorum makes the checkpoint stable. */
export interface Checkpoint {
  readonly kind: 'checkpoint';
  readonly height: number;
  readonly blockHash: BlockHash;
}

/** A head as shown to others; the certificate is null only where the set's first block follows it (its start). */
export interface ShownHead {
  readonly header: Header;
  readonly certificate: Certificate | null;
}

/** A quorum of PREPAREs with the header they name; `certificate` covers prepare votes. */
export interface PreparedProof {
  readonly header: Header;
  readonly certificate: Certificate;
}

export interface ViewChange {
  readonly kind: 'viewChange';
  /** The view asked for. */
  readonly view: number;
  /** The signer's last durable commit. */
  readonly head: ShownHead;
  /** Strictly ascending heights above the head; the highest view that the signer knows at each. */
  readonly prepared: readonly PreparedProof[];
}

export interface NewView {
  readonly kind: 'newView';
  readonly view: number;
  /** At least a quorum, signers strictly ascending, all for `view`. */
  readonly viewChanges: readonly SignedMessage[];
  /** Hashes of the blocks proposed again, at base + 1, base + 2, …: recomputed by every replica. */
  readonly window: readonly BlockHash[];
}

/** What a replica has, so that others can send what it lacks. */
export interface Status {
  readonly kind: 'status';
  readonly view: number;
  /** False while the sender waits for the NEW-VIEW of `view`. */
  readonly active: boolean;
  readonly head: ShownHead;
  /** Proposals of this view are held up to and including this height. */
  readonly acceptedHeight: number;
  readonly stableHeight: number;
  /** An answer to a status: is not itself answered by one. */
  readonly reply: boolean;
}

/**
 * "The primary of `view` should be replaced." f + 1 of them start the view change; the sender goes on voting meanwhile. While
 * a NEW-VIEW is awaited: "its primary is gone", and f + 1 of those skip it.
 */
export interface Complaint {
  readonly kind: 'complaint';
  readonly view: number;
  /** The sender's committed height; progress above it answers the complaint, unless it is `lasting`. */
  readonly height: number;
  /** Stays until the view ends: censorship or slowness is not answered by progress (SCENARIOS 24, 25). */
  readonly lasting: boolean;
  /** Validators that the sender had a connection to and has lost, ascending: no view of theirs is worth a wait. */
  readonly gone: readonly number[];
}

export type MessageContent = PrePrepare | Vote | Checkpoint | ViewChange | NewView | Status | Complaint;

/** A signed message with its decoded body. */
export interface ConsensusMessage<Content extends MessageContent = MessageContent> {
  readonly signed: SignedMessage;
  readonly content: Content;
}
