import { assert } from '../base/assert.ts';
import { ZERO_HASH } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { headerHash, validatorSetHash } from '../codec/chain.ts';
import type { Block } from '../types/chain.ts';
import { bindSlot } from './blocks.ts';
import { makeCheckpoint } from './checkpoint.ts';
import type { EngineConfig, EngineStart } from './config.ts';
import { emit, recordSigned, resend } from './emit.ts';
import type { ConsensusMessage, PreparedProof, Vote } from './messages.ts';
import { installNewView } from './new-view.ts';
import { type Engine, headHeight, type Slot, slotAt, slotsAscending } from './state.ts';
import { resendOwn, sendStatus } from './status.ts';
import { enterView } from './view-change.ts';
import { decodeWalRecord, type WalRecord } from './wal-record.ts';

function emptyEngine(config: EngineConfig, start: EngineStart): Engine {
  const { reign, header, blockHash: hash, certificate, parameters } = start;
  const keys = new Set(reign.set.validators.map(({ publicKey }) => publicKey.join()));
  assert(keys.size === reign.set.validators.length, 'validators have distinct keys');
  return {
    config,
    parameters,
    reign,
    setHash: validatorSetHash(config.suite.sha256, reign.set),
    seat: config.findSeat(reign.set),
    head: { header, hash, certificate },
    view: 0,
    active: true,
    digest: ZERO_HASH,
    viewTop: reign.startHeight,
    newView: null,
    ownViewChange: null,
    viewChanges: new Map(),
    fruitlessViews: 0,
    complaint: null,
    complaints: new Map(),
    unreachable: new Set(),
    slots: new Map(),
    future: { bySigner: new Map(), count: 0 },
    stableHeight: reign.startHeight,
    stableHash: reign.startHash,
    checkpoints: new Map(),
    ownCheckpoints: [],
    signedValues: new Map(),
    evidenceGiven: new Set(),
    waiting: false,
    buildable: false,
    build: null,
    durable: new WeakSet(),
    tickets: [],
    nextTicket: 1,
    nextId: 1,
    nextGeneration: 1,
    timers: new Map(),
    resendStreak: 0,
    hint: false,
    syncTarget: null,
    syncAhead: false,
    started: false,
    halted: false,
    out: [],
  };
}

/** The slot of a logged block; null when its height is durable in the chain by now. */
function loggedSlot(engine: Engine, block: Block): Slot | null {
  const { height } = block.header;
  if (block.header.validatorSetId !== engine.reign.set.id || height <= headHeight(engine)) return null;
  const slot = slotAt(engine, height);
  bindSlot(engine, slot, headerHash(engine.config.suite.sha256, block.header));
  slot.block = block;
  slot.blockLogged = true;
  return slot;
}

function replayVote(engine: Engine, message: ConsensusMessage<Vote>): void {
  const { content, signed } = message;
  const slot = engine.slots.get(content.height);
  if (slot === undefined || content.view !== engine.view || !engine.active) return;
  if (slot.hash !== content.blockHash) return;
  if (content.kind === 'prepare') {
    slot.proposed = true;
    slot.accepted = true;
    slot.ownPrepare = message;
    slot.prepares.set(signed.signer, message);
    return;
  }
  slot.preparedHere = true;
  slot.ownCommit = message;
  slot.commits.set(signed.signer, message);
}

function replayPrepared(engine: Engine, proof: PreparedProof): void {
  const { header, certificate } = proof;
  if (certificate.validatorSetId !== engine.reign.set.id || header.height <= headHeight(engine)) return;
  const slot = slotAt(engine, header.height);
  bindSlot(engine, slot, certificate.blockHash);
  slot.preparedProof = proof;
}

function replayMessage(engine: Engine, message: ConsensusMessage): void {
  const { signed, content } = message;
  if (signed.validatorSetId !== engine.reign.set.id) return;
  if (signed.signer === engine.seat?.index) recordSigned(engine, content, signed);
  engine.durable.add(signed);
  switch (content.kind) {
    case 'prePrepare': {
      const slot = loggedSlot(engine, content.block);
      if (slot === null || content.view !== engine.view || !engine.active) return;
      slot.proposal = { signed, content };
      slot.proposed = true;
      return;
    }
    case 'prepare':
    case 'commit':
      replayVote(engine, { signed, content });
      return;
    case 'viewChange':
      enterView(engine, content.view);
      engine.ownViewChange = { signed, content };
      engine.viewChanges.set(signed.signer, { signed, content });
      return;
    case 'newView':
      installNewView(engine, { signed, content });
      return;
    default:
      assert(false, 'only messages that votes rest on are logged');
  }
}

function replay(engine: Engine, record: WalRecord): void {
  switch (record.type) {
    case 'message':
      replayMessage(engine, record.message);
      return;
    case 'block':
      loggedSlot(engine, record.block);
      return;
    case 'prepared':
      replayPrepared(engine, record.proof);
      return;
    case 'stable':
      if (record.validatorSetId !== engine.reign.set.id) return;
      engine.stableHeight = record.height;
      engine.stableHash = record.blockHash;
  }
}

/**
 * An engine at the durable head, with the state that the log holds: the view, the proposals, the own votes, the prepared
 * certificates. Records of earlier sets and of heights that are durable by now change nothing.
 *
 * @param start the head of the chain store and the set that decides the next height
 * @param records the content of the write-ahead log, in order; empty on a new node
 * @returns a Reject when a record cannot be read: the node must not vote with it
 */
export function createEngine(
  config: EngineConfig,
  start: EngineStart,
  records: readonly Uint8Array[],
): Engine | Reject {
  const engine = emptyEngine(config, start);
  for (const bytes of records) {
    const record = decodeWalRecord(bytes);
    if (isReject(record)) return record;
    replay(engine, record);
    if (engine.halted) return reject('contradiction', 'the log contradicts the chain store');
  }
  // Replaying asks for nothing: what is still missing is asked for by `start` and the resend timer.
  engine.out = [];
  engine.syncTarget = null;
  // How many views were fruitless is not in the log: patience starts anew.
  engine.fruitlessViews = engine.active ? 0 : 1;
  return engine;
}

/** Sends again what was signed, byte for byte (SCENARIOS 8), and asks what was missed. Execution follows by itself. */
export function onStart(engine: Engine): void {
  engine.started = true;
  resendOwn(engine);
  const { seat } = engine;
  if (seat !== null && engine.active) {
    if (engine.newView?.signed.signer === seat.index) resend(engine, 'all', engine.newView);
    for (const { proposal, ownPrepare, ownCommit } of slotsAscending(engine)) {
      if (proposal?.signed.signer === seat.index) resend(engine, 'all', proposal);
      resend(engine, 'all', ownPrepare);
      resend(engine, 'all', ownCommit);
    }
  }
  if (engine.newView !== null) emit(engine, { type: 'archive', newView: engine.newView.signed });
  makeCheckpoint(engine);
  sendStatus(engine, false);
}
