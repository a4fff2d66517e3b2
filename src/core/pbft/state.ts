import type { BlockHash, Hash } from '../base/ids.ts';
import { honestWitnesses, primaryIndex, quorumSize } from '../quorum/quorum.ts';
import type { Block, Certificate, Header, ValidatorSet } from '../types/chain.ts';
import type { EngineConfig, EngineParameters, Reign, Seat } from './config.ts';
import type { Effect, TimerName } from './effect.ts';
import type {
  Checkpoint,
  Complaint,
  ConsensusMessage,
  NewView,
  PrePrepare,
  PreparedProof,
  ShownHead,
  SignedMessage,
  ViewChange,
  Vote,
} from './messages.ts';

export type Votes = Map<number, ConsensusMessage<Vote>>;

/** One height in flight. `hash` without `block`: named by a NEW-VIEW or a certificate, and being fetched. */
export interface Slot {
  readonly height: number;
  hash: BlockHash | null;
  block: Block | null;
  /** The block is in the log since it was last rewritten. */
  blockLogged: boolean;
  execution: 'none' | 'running' | 'done' | 'rejected';
  executionId: number;
  /** The running execution skips the clock. */
  executedTrusted: boolean;
  /** The rejection may pass with time (clock drift). */
  retriable: boolean;
  nextSet: ValidatorSet | null;

  // Of the current view; emptied when a view ends.
  proposed: boolean;
  reproposed: boolean;
  proposal: ConsensusMessage<PrePrepare> | null;
  accepted: boolean;
  preparedHere: boolean;
  ownPrepare: ConsensusMessage<Vote> | null;
  ownCommit: ConsensusMessage<Vote> | null;
  readonly prepares: Votes;
  readonly commits: Votes;

  // Across views.
  /** Of the highest view known; what VIEW-CHANGE shows. */
  preparedProof: PreparedProof | null;
  decided: Certificate | null;
  commitGiven: boolean;
}

export interface Head {
  readonly header: Header;
  readonly hash: BlockHash;
  readonly certificate: Certificate | null;
}

/** Own messages that count once their records are durable. */
interface Ticket {
  readonly ticket: number;
  readonly own: readonly ConsensusMessage[];
}

export interface FutureBuffer {
  readonly bySigner: Map<number, { messages: ConsensusMessage<PrePrepare | Vote>[]; bytes: number }>;
  count: number;
}

/** Null where a slot has no view or no height. */
export interface SignedValue {
  readonly view: number | null;
  readonly height: number | null;
  readonly value: Hash;
  readonly message: SignedMessage;
}

/** The whole state; `step` mutates it. Read by the shell through the functions of `engine.ts`. */
export interface Engine {
  readonly config: EngineConfig;
  parameters: EngineParameters;
  reign: Reign;
  /** Hash of the reign's set, as headers carry it. */
  setHash: Hash;
  seat: Seat | null;
  /** The last durable commit. */
  head: Head;

  view: number;
  /** False from VIEW-CHANGE until the NEW-VIEW of `view`. */
  active: boolean;
  digest: Hash;
  /** The highest height that the view's NEW-VIEW covers, as base or by proposing it again. */
  viewTop: number;
  newView: ConsensusMessage<NewView> | null;
  ownViewChange: ConsensusMessage<ViewChange> | null;
  /** The highest of each signer. */
  readonly viewChanges: Map<number, ConsensusMessage<ViewChange>>;
  /** Views entered without progress since: the exponent of the back-off. */
  fruitlessViews: number;
  /** The own one of this view. */
  complaint: Complaint | null;
  /** The highest of each signer, of this view or a later one. */
  readonly complaints: Map<number, Complaint>;
  /** Peers that the shell has lost. */
  unreachable: ReadonlySet<string>;

  /** Heights above the head, at most `windowBlocks` of them. */
  readonly slots: Map<number, Slot>;
  readonly future: FutureBuffer;

  /** The low watermark. */
  stableHeight: number;
  stableHash: BlockHash;
  readonly checkpoints: Map<number, ConsensusMessage<Checkpoint>[]>;
  ownCheckpoints: ConsensusMessage<Checkpoint>[];

  /** What was signed at each slot of this view and above the head: one value a slot (SCENARIOS 13). */
  readonly signedValues: Map<string, SignedValue>;
  readonly evidenceGiven: Set<string>;

  waiting: boolean;
  buildable: boolean;
  build: { readonly id: number; readonly height: number; readonly parentHash: BlockHash } | null;

  /** Own messages whose records are durable: only these may be sent again. */
  readonly durable: WeakSet<SignedMessage>;
  readonly tickets: Ticket[];
  nextTicket: number;
  nextId: number;
  nextGeneration: number;
  /** Armed timers: generation and what they were armed for. */
  readonly timers: Map<TimerName, { readonly generation: number; readonly purpose: string }>;
  resendStreak: number;

  /** Something was seen that this node lacks: ask at the next resend. */
  hint: boolean;
  /** The highest certified head that cannot be reached from the slots. */
  syncTarget: ShownHead | null;
  /** A peer of a later set was seen and `sync` given. */
  syncAhead: boolean;

  started: boolean;
  halted: boolean;
  /** Effects of the running step. */
  out: Effect[];
}

export function newSlot(height: number): Slot {
  return {
    height,
    hash: null,
    block: null,
    blockLogged: false,
    execution: 'none',
    executionId: 0,
    executedTrusted: false,
    retriable: false,
    nextSet: null,
    proposed: false,
    reproposed: false,
    proposal: null,
    accepted: false,
    preparedHere: false,
    ownPrepare: null,
    ownCommit: null,
    prepares: new Map(),
    commits: new Map(),
    preparedProof: null,
    decided: null,
    commitGiven: false,
  };
}

export function slotAt(engine: Engine, height: number): Slot {
  let slot = engine.slots.get(height);
  if (slot === undefined) {
    slot = newSlot(height);
    engine.slots.set(height, slot);
  }
  return slot;
}

export function slotsAscending(engine: Engine): Slot[] {
  return [...engine.slots.values()].sort((a, b) => a.height - b.height);
}

/** Forgets the proposal of this view and what this node has said to it. */
export function withdrawSlot(slot: Slot): void {
  slot.proposed = false;
  slot.reproposed = false;
  slot.proposal = null;
  slot.accepted = false;
  slot.preparedHere = false;
  slot.ownPrepare = null;
  slot.ownCommit = null;
}

/** Forgets what belongs to the view that ends; blocks, overlays, prepared proofs and decisions stay. */
export function endSlotView(slot: Slot): void {
  withdrawSlot(slot);
  slot.prepares.clear();
  slot.commits.clear();
}

export function setSize(engine: Engine): number {
  return engine.reign.set.validators.length;
}

export function quorum(engine: Engine): number {
  return quorumSize(setSize(engine));
}

export function witnesses(engine: Engine): number {
  return honestWitnesses(setSize(engine));
}

export function primaryOf(engine: Engine, view: number): number {
  return primaryIndex(setSize(engine), view);
}

export function isPrimary(engine: Engine): boolean {
  return engine.seat !== null && primaryOf(engine, engine.view) === engine.seat.index;
}

export function headHeight(engine: Engine): number {
  return engine.head.header.height;
}

/** With rotation, the height after which the view ends; every replica of the view gets the same from its NEW-VIEW. */
export function lastHeightOfView(engine: Engine): number {
  const { rotationBlocks } = engine.parameters;
  return rotationBlocks === 0 || setSize(engine) === 1
    ? Number.POSITIVE_INFINITY
    : engine.viewTop + rotationBlocks;
}

/** Followers take what is at most a window above their own head; the primary keeps to the low watermark besides. */
export function highestHeight(engine: Engine): number {
  return headHeight(engine) + engine.parameters.windowBlocks;
}

export function changesSet(header: Header): boolean {
  return header.nextValidatorSetHash !== header.validatorSetHash;
}

export function shownHead(engine: Engine): ShownHead {
  const { header, certificate } = engine.head;
  return { header, certificate: header.height > engine.reign.startHeight ? certificate : null };
}

export function peerIdOf(engine: Engine, index: number): string {
  return engine.reign.set.validators[index]?.peerId ?? '';
}

/** Every other validator's peer id. */
export function otherPeerIds(engine: Engine): string[] {
  return engine.reign.set.validators.flatMap((validator, index) =>
    index === engine.seat?.index ? [] : [validator.peerId],
  );
}

/** Proposals of this view are held without a gap up to here. */
export function acceptedHeight(engine: Engine): number {
  let height = headHeight(engine);
  for (;;) {
    const slot = engine.slots.get(height + 1);
    if (slot === undefined || slot.block === null || (!slot.proposed && slot.decided === null)) return height;
    height += 1;
  }
}

/** Votes of f validators alone start nothing, or one of them could keep an idle network busy. */
export function isUnderWay(engine: Engine, slot: Slot): boolean {
  const needed = witnesses(engine);
  return slot.proposed || slot.prepares.size >= needed || slot.commits.size >= needed;
}

export function hasUndecided(engine: Engine): boolean {
  for (const slot of engine.slots.values())
    if (slot.decided === null && isUnderWay(engine, slot)) return true;
  return false;
}
