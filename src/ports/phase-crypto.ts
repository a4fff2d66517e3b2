import type { Hash, LogId, MemberId, PhaseId, ProjectId } from '../core/base/ids.ts';
import type { WrappedKey } from '../core/types/operation.ts';
import type { Unsealer } from './sealing.ts';

/** What an epoch secret derives (DESIGN.md section 5); the first two stay private, the last two are on chain. */
export interface EpochKeys {
  readonly payloadKey: Uint8Array;
  readonly unsealer: Unsealer;
  readonly commitment: Hash;
  /** 33 bytes: outsiders wrap content keys to it. */
  readonly publicKey: Uint8Array;
}

/** The number of an epoch and its secret (32 bytes), as envelopes carry them. */
export interface EpochSecret {
  readonly number: number;
  readonly secret: Uint8Array;
}

/** Where and for whom an envelope is valid; all of it goes into HPKE's `info` (SCENARIOS 84). */
export interface EnvelopeContext {
  readonly chainId: Hash;
  readonly project: ProjectId;
  readonly phase: PhaseId;
  /** The epoch that the transaction opens; the current one where it opens none. */
  readonly epoch: number;
  /** The membership version that the transaction replaces; 0 in the transaction that adds the phase. */
  readonly membershipVersion: number;
  readonly member: MemberId;
  readonly keyId: number;
}

/** Where a wrapped content key is valid. */
export interface WrapContext {
  readonly chainId: Hash;
  readonly phase: PhaseId;
  readonly epoch: number;
  readonly keyCommitment: Hash;
}

/** Where a payload is valid: the log it was written for (which commits to chain and phase), the epoch and the key. */
export interface PayloadContext {
  readonly logId: LogId;
  readonly epoch: number;
  readonly keyCommitment: Hash;
}

/** Where the owner's card of a project is valid; `phase` null for the card of the project itself. */
export interface ProjectCardContext {
  readonly chainId: Hash;
  readonly project: ProjectId;
  readonly phase: PhaseId | null;
}

/** What a recovery secret derives; the last two are on chain. */
export type RecoveryKeys = Pick<EpochKeys, 'unsealer' | 'publicKey' | 'commitment'>;

/** The recovery key that something belongs to. */
export interface RecoveryContext {
  readonly chainId: Hash;
  readonly project: ProjectId;
  readonly phase: PhaseId;
  readonly publicKey: Uint8Array;
}

/** Whose share it is, and for whom it is sealed: the holder itself, or with `ask` who asked for it. */
export interface ShareContext extends RecoveryContext {
  readonly holder: MemberId;
  /** Number of the ask that it answers; null where the shares are made. */
  readonly ask: number | null;
  readonly recipient: MemberId;
  readonly keyId: number;
}

/** Epoch secrets to the recovery key; the two numbers as in `EnvelopeContext`. */
export interface HistoryContext extends RecoveryContext {
  readonly epoch: number;
  readonly membershipVersion: number;
}

/** The cryptography of phases: epochs, envelopes, content keys and payloads. `src/crypto/phase-crypto.ts` implements it. */
export interface PhaseCrypto {
  /** 32 fresh bytes: an epoch secret or a content key; a content key encrypts one payload or file. */
  generateSecret(): Uint8Array;
  /** For ids and salts. */
  randomBytes(length: number): Uint8Array;
  deriveEpoch(secret: Uint8Array): EpochKeys;
  keyCommitment(contentKey: Uint8Array): Hash;
  /** @param recipientKey sealing key, 33 bytes; OperatingError `bad_sealing_key` when it is no P-256 point */
  sealEnvelope(
    context: EnvelopeContext,
    recipientKey: Uint8Array,
    secrets: readonly EpochSecret[],
  ): Promise<Uint8Array>;
  /** Null when it does not open in this context. */
  openEnvelope(
    context: EnvelopeContext,
    unsealer: Unsealer,
    sealed: Uint8Array,
  ): Promise<EpochSecret[] | null>;
  wrapContentKey(keys: EpochKeys, context: WrapContext, contentKey: Uint8Array): WrappedKey;
  wrapContentKeyFromOutside(
    epochPublicKey: Uint8Array,
    context: WrapContext,
    contentKey: Uint8Array,
  ): Promise<WrappedKey>;
  /** Null when it does not open, or is not the key that was committed to. */
  unwrapContentKey(keys: EpochKeys, context: WrapContext, wrapped: WrappedKey): Promise<Uint8Array | null>;
  /** Length of a sealed payload of `plaintextBytes`. */
  sealedPayloadBytes(plaintextBytes: number): number;
  sealPayload(contentKey: Uint8Array, context: PayloadContext, plaintext: Uint8Array): Uint8Array;
  /** Null when the key is not the committed one, or the bytes were not sealed with it in this context. */
  openPayload(contentKey: Uint8Array, context: PayloadContext, sealed: Uint8Array): Uint8Array | null;
  /** The salt of each field of a record's payload, 32 bytes. */
  fieldSalts(contentKey: Uint8Array): (name: string) => Uint8Array;
  /** Padded as a payload is. @param ownerKey sealing key, 33 bytes; OperatingError `bad_sealing_key` when it is no P-256 point */
  sealProjectCard(
    context: ProjectCardContext,
    ownerKey: Uint8Array,
    plaintext: Uint8Array,
  ): Promise<Uint8Array>;
  /** Null when it does not open in this context. */
  openProjectCard(
    context: ProjectCardContext,
    unsealer: Unsealer,
    sealed: Uint8Array,
  ): Promise<Uint8Array | null>;
  deriveRecovery(secret: Uint8Array): RecoveryKeys;
  /** @param threshold shares that give the secret: 2 at least */
  splitSecret(secret: Uint8Array, shares: number, threshold: number): Promise<readonly Uint8Array[]>;
  /** Without any check: the caller compares what comes out derives. @param shares each a different one, 2 at least */
  combineShares(shares: readonly Uint8Array[]): Promise<Uint8Array>;
  shareCommitment(share: Uint8Array): Hash;
  /** @param recipientKey sealing key, 33 bytes; OperatingError `bad_sealing_key` when it is no P-256 point */
  sealShare(context: ShareContext, recipientKey: Uint8Array, share: Uint8Array): Promise<Uint8Array>;
  /** Null when it does not open in this context. */
  openShare(context: ShareContext, unsealer: Unsealer, sealed: Uint8Array): Promise<Uint8Array | null>;
  sealHistory(context: HistoryContext, secrets: readonly EpochSecret[]): Promise<Uint8Array>;
  /** Null when it does not open in this context. */
  openHistory(context: HistoryContext, unsealer: Unsealer, sealed: Uint8Array): Promise<EpochSecret[] | null>;
}
