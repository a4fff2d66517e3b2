import type { Reject } from '../base/reject.ts';
import type { Block, ValidatorSet } from '../types/chain.ts';
import type { EngineParameters, EngineStart } from './config.ts';
import type { TimerName } from './effect.ts';
import type { ConsensusMessage } from './messages.ts';

/** Everything that can happen to the engine. The shell gives inputs one at a time and performs the effects in order. */
export type Input =
  /** First input after creation or restart: resends what the log holds, executes it again, starts timers. */
  | { readonly type: 'start' }
  /** A message of the current set (`engine.reign`) for which `verifyConsensusMessage` answered true. */
  | { readonly type: 'message'; readonly message: ConsensusMessage }
  /** A peer sent a message of another set id, which cannot be verified here: either it is behind or this node is. */
  | { readonly type: 'otherSet'; readonly validatorSetId: number; readonly peerId: string }
  /** The connection to a validator was made again: messages may have been lost, so the status goes out. */
  | { readonly type: 'connected'; readonly peerId: string }
  | { readonly type: 'timer'; readonly name: TimerName; readonly generation: number }
  /** The records of this ticket are on disk and its `then` was performed. Tickets come back in order. */
  | { readonly type: 'persisted'; readonly ticket: number }
  /**
   * True whenever a transaction enters or comes back to the pool, false when the pool is empty. True lets the primary build
   * and starts the supervision of the primary on everyone else.
   */
  | { readonly type: 'pending'; readonly waiting: boolean }
  /**
   * The answer to `build`: the block was executed on its parent's overlay and its bodies are durable. `nextSet` when its
   * header brings in another set.
   */
  | {
      readonly type: 'built';
      readonly buildId: number;
      readonly block: Block;
      readonly nextSet: ValidatorSet | null;
    }
  /** The pool has nothing to build from; the engine asks again after the next `pending` that is true. */
  | { readonly type: 'buildEmpty'; readonly buildId: number }
  /** The answer to `execute`. A null verdict: bodies durable, executed, the header is exactly the result. */
  | {
      readonly type: 'executed';
      readonly executionId: number;
      readonly verdict: Reject | null;
      readonly nextSet: ValidatorSet | null;
    }
  /** The block at `height` and its certificate are durable in the chain store. In order of height. */
  | { readonly type: 'committed'; readonly height: number; readonly parameters: EngineParameters }
  /** State transfer moved the durable head; a head at or below the engine's own is ignored. */
  | { readonly type: 'synced'; readonly head: EngineStart }
  /** The answer to `fetchBlock`: any block; the engine checks it against the hash it wants. */
  | { readonly type: 'fetched'; readonly block: Block }
  /** The shell saw the primary censor or be slow: asks for its replacement; lasts until the view ends. */
  | { readonly type: 'complain' }
  /**
   * All peers to which this node had a connection and lost it for longer than a hiccup; replaces the list given before. A
   * primary among them is replaced without waiting for a timeout, several in a row in one go.
   */
  | { readonly type: 'unreachable'; readonly peerIds: readonly string[] };
