import type { BlockHash, Hash, Suite } from '../base/ids.ts';
import type { Certificate, Header, ValidatorSet } from '../types/chain.ts';
import type { Parameters } from '../types/state.ts';

/** The chain parameters that the engine reads; governance may change them with a committed block. */
export type EngineParameters = Pick<
  Parameters,
  'checkpointIntervalBlocks' | 'windowBlocks' | 'viewTimeoutMs' | 'viewTimeoutMsMax' | 'rotationBlocks'
>;

/** Limits of the engine's format and buffers, with their units. */
export const ENGINE_LIMITS = {
  /** Blocks in flight that a VIEW-CHANGE or NEW-VIEW may name. */
  windowBlocksMax: 256,
  /** No view is asked for above this one (SCENARIOS 97): a view a millisecond reaches it in 8,900 years. */
  viewMax: 2 ** 48,
  /** Votes and proposals of later views or heights kept for one signer: this many times `windowBlocks`. */
  futurePerSignerWindows: 3,
  /** Their bodies for one signer, in bytes. */
  futureBytesPerSigner: 8 * 1024 * 1024,
  /** All of them together. */
  futureMessagesTotal: 8192,
  /** Checkpoint votes kept for one signer. */
  checkpointsPerSigner: 4,
  /** Largest encoded message body, in bytes. */
  messageBodyBytes: 32 * 1024 * 1024,
  /** `viewTimeoutMs` divided by this is the first delay of the resend timer. */
  resendDivisor: 4,
  /** A node that waits for a NEW-VIEW while nothing else is unfinished asks this many times without any answer. */
  idleResends: 8,
} as const;

/** The engine's seat in a validator set. */
export interface Seat {
  /** Index in the set. */
  readonly index: number;
  /** Signs with that validator's consensus key; 64 bytes r‖s. Synchronous. */
  sign(bytes: Uint8Array): Uint8Array;
}

export interface EngineConfig {
  readonly suite: Suite;
  readonly chainId: Hash;
  /**
   * The seat in this set, or null: then the engine observes (follows and executes, signs nothing). A node that lost its
   * signing state answers null until it has a new key (SCENARIOS 16).
   */
  findSeat(set: ValidatorSet): Seat | null;
}

/** One validator set's reign. Heights above `startHeight` are decided by `set`. Enough to verify any of its messages. */
export interface Reign {
  readonly chainId: Hash;
  readonly set: ValidatorSet;
  /** The block that brought the set in (0: genesis), and its hash; trusted as committed. */
  readonly startHeight: number;
  readonly startHash: BlockHash;
}

/** The durable head that the engine starts from. */
export interface EngineStart {
  readonly header: Header;
  readonly blockHash: BlockHash;
  /** Null for genesis only. */
  readonly certificate: Certificate | null;
  /** The reign that decides the next height. */
  readonly reign: Reign;
  /** As of the state after this head. */
  readonly parameters: EngineParameters;
}
