import type { Hash, PhaseId, ProjectId } from '../base/ids.ts';
import type { WrappedKey } from './operation.ts';

/** A phase's card as the chain has it: only who holds the epoch's secret can open it. */
export interface SealedCard {
  /** The epoch that it is sealed under. */
  readonly epoch: number;
  readonly bytes: Uint8Array;
}

/**
 * What the bytes of a sealed card are: ciphertext under a fresh content key, as the payload of a record is, so that whoever may
 * open it can disclose this one card by its content key.
 */
export interface CardCiphertext {
  readonly keyCommitment: Hash;
  readonly wrappedKey: WrappedKey;
  readonly payload: Uint8Array;
}

/** A kind of record that the participants of a phase agreed on. */
export interface RecordType {
  readonly name: string;
  /** JSON Schema that the data of such a record follows; the chain never sees it. */
  readonly schema: unknown;
}

/** What those in a phase call it, and what records it takes. */
export interface PhaseCard {
  readonly label: string;
  /** What its project is called. */
  readonly project: string;
  readonly recordTypes: readonly RecordType[];
}

/** What the owner calls a project, or one of its phases: sealed to the owner's own key. */
export interface ProjectCard {
  readonly label: string;
}

/** Gives a project, or one of its phases, another card. */
export interface ProjectCardChange {
  readonly project: ProjectId;
  readonly expectedVersion: number;
  /** Null for the card of the project itself. */
  readonly phase: PhaseId | null;
  readonly card: Uint8Array;
}

/** Gives a phase another card within its epoch. It counts as a change of membership: a new epoch seals the card that is current. */
export interface PhaseCardChange {
  readonly phase: PhaseId;
  readonly expectedMembershipVersion: number;
  readonly card: SealedCard;
}
