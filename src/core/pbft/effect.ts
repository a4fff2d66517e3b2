import type { BlockHash } from '../base/ids.ts';
import type { Block, Certificate } from '../types/chain.ts';
import type { ShownHead, SignedMessage } from './messages.ts';

/** `view`: supervision of the primary and of a view change. `resend`: runs only while something is pending. */
export type TimerName = 'view' | 'resend';

/**
 * What the shell performs, in the order given. An effect may start before the one ahead of it has ended, except that
 * `persist` and `trim` go to the log in order, `commit` goes to the store in order of height, and what stands in `then`
 * waits for the records to be durable: "send after persist" is data.
 */
export type Effect =
  /** Append, flush, then perform `then`, then give `persisted{ticket}`. Neighbours may share a flush, kept in order. */
  | {
      readonly type: 'persist';
      readonly ticket: number;
      /** Encoded with the codec of `wal-record.ts`. */
      readonly records: readonly Uint8Array[];
      readonly then: readonly Effect[];
    }
  /** Replace the log by these records (`WriteAheadLog.rewrite`), after every `persist` given before. */
  | { readonly type: 'trim'; readonly records: readonly Uint8Array[] }
  /** `all`: every validator of the current set but this one, and whoever observes. Otherwise the libp2p peer id. */
  | {
      readonly type: 'send';
      readonly to: 'all' | { readonly peerId: string };
      readonly message: SignedMessage;
    }
  /** Replaces a running timer of that name. A `timer` input of an older generation is ignored. */
  | {
      readonly type: 'setTimer';
      readonly name: TimerName;
      readonly delayMs: number;
      readonly generation: number;
    }
  | { readonly type: 'cancelTimer'; readonly name: TimerName }
  /**
   * Pick transactions, execute them on the overlay of `parentHash`, answer `built` or `buildEmpty` (also when that overlay is
   * gone). One at a time, except that a view change makes an unanswered one void: its answer is given up.
   */
  | {
      readonly type: 'build';
      readonly buildId: number;
      readonly view: number;
      readonly height: number;
      readonly parentHash: BlockHash;
    }
  /**
   * Get the missing bodies, store them durably, verify and execute on the overlay of the parent, keep the overlay under
   * `blockHash`, answer `executed`. Overlays are named by block hash; the parent is committed or has an overlay.
   */
  | {
      readonly type: 'execute';
      readonly executionId: number;
      readonly block: Block;
      readonly blockHash: BlockHash;
      /** Peer id of who should have the bodies. */
      readonly proposerPeerId: string;
      /** False for a block proposed again, replayed or certified: it passed the check before (DESIGN.md section 3). */
      readonly checkClock: boolean;
    }
  /** Make the executed block durable with its certificate, give `committed`. At once if the store has it already. */
  | {
      readonly type: 'commit';
      readonly block: Block;
      readonly blockHash: BlockHash;
      readonly certificate: Certificate;
    }
  /** Drop these overlays, if they exist; an execution of them that still runs may be left unanswered. */
  | { readonly type: 'discard'; readonly blockHashes: readonly BlockHash[] }
  /** Transactions of blocks that were given up; the pool leaves out what is committed or in flight. */
  | { readonly type: 'returnToPool'; readonly blocks: readonly Block[] }
  /**
   * This node is behind: transfer blocks up to `head` or further, give `synced`. A null `head`: it is stuck and may be behind,
   * see whether any peer has more. Repeated while it lasts; a running transfer need not start again.
   */
  | { readonly type: 'sync'; readonly head: ShownHead | null; readonly peerIds: readonly string[] }
  /** Ask peers for a block in flight by its hash (SCENARIOS 47), give `fetched`. Repeated while it is missing. */
  | {
      readonly type: 'fetchBlock';
      readonly blockHash: BlockHash;
      readonly height: number;
      readonly peerIds: readonly string[];
    }
  /**
   * An observer can sign no STATUS and so is told of no view: ask these peers for the NEW-VIEW of a view above this one, and give
   * it as a `message`.
   */
  | { readonly type: 'fetchNewView'; readonly view: number; readonly peerIds: readonly string[] }
  /** Keep this NEW-VIEW with its signed VIEW-CHANGEs, so that conflicting commits can be traced (SCENARIOS 36). */
  | { readonly type: 'archive'; readonly newView: SignedMessage }
  /** Two conflicting messages signed by one validator of the current set. */
  | { readonly type: 'evidence'; readonly first: SignedMessage; readonly second: SignedMessage }
  /** Stop voting and tell the operator: going on could break agreement. No later input has an effect. */
  | { readonly type: 'halt'; readonly height: number; readonly reason: string };
