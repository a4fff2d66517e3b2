import { assertDefined } from '../base/assert.ts';
import { ZERO_HASH } from '../base/ids.ts';
import { headerHash, validatorSetHash } from '../codec/chain.ts';
import { removeMismatched, removeSlots } from './blocks.ts';
import { makeCheckpoint } from './checkpoint.ts';
import type { EngineParameters, EngineStart, Reign } from './config.ts';
import { cancelTimer, emit, halt, pruneSigned } from './emit.ts';
import type { ShownHead } from './messages.ts';
import { decide } from './normal-case.ts';
import { changesSet, type Engine, type Head, headHeight, peerIdOf, slotsAscending } from './state.ts';
import { sendStatus } from './status.ts';
import { withdrawComplaints } from './supervision.ts';

export function requestSync(engine: Engine): void {
  const head = engine.syncTarget;
  if (head === null) return;
  const signers = head.certificate?.signatures ?? [];
  const peerIds = signers
    .filter(({ signer }) => signer !== engine.seat?.index)
    .map(({ signer }) => peerIdOf(engine, signer));
  emit(engine, { type: 'sync', head, peerIds });
}

/** Whether every height up to here is certified and at hand, so that only execution and writing are left. */
function reachable(engine: Engine, height: number): boolean {
  for (let at = headHeight(engine) + 1; at <= height; at += 1) {
    const slot = engine.slots.get(at);
    if (slot === undefined || slot.decided === null || slot.block === null) return false;
  }
  return true;
}

/** Takes a verified head that someone showed: certifies the slot it names, and asks for what is missing below. */
export function adoptHead(engine: Engine, shown: ShownHead): void {
  const { header, certificate } = shown;
  const { height } = header;
  if (height < headHeight(engine) || certificate === null) return;
  if (height === headHeight(engine)) {
    if (headerHash(engine.config.suite.sha256, header) !== engine.head.hash)
      halt(engine, height, 'two certificates of one height');
    return;
  }
  const slot = engine.slots.get(height);
  if (slot !== undefined) decide(engine, slot, certificate);
  if (engine.halted || reachable(engine, height)) return;
  if (engine.syncTarget !== null && engine.syncTarget.header.height >= height) return;
  engine.syncTarget = shown;
  requestSync(engine);
}

/** The durable head moved: what stands below it is over, what does not stand on it is wrong. */
function moveHead(engine: Engine, head: Head, parameters: EngineParameters): void {
  engine.head = head;
  engine.parameters = parameters;
  const over = slotsAscending(engine).filter(({ height }) => height <= head.header.height);
  for (const slot of over) if (slot.hash === head.hash) engine.slots.delete(slot.height);
  removeSlots(
    engine,
    over.filter(slot => slot.hash !== head.hash),
  );
  removeMismatched(engine);
  if (engine.active) engine.progressView = engine.view;
  engine.resendStreak = 0;
  if (engine.syncTarget !== null && engine.syncTarget.header.height <= head.header.height)
    engine.syncTarget = null;
  withdrawComplaints(engine);
  pruneSigned(engine);
}

/** Views start again with the set: nothing signed under the old one counts, and its log is over. */
function switchReign(engine: Engine, head: Head, reign: Reign, parameters: EngineParameters): void {
  removeSlots(
    engine,
    slotsAscending(engine).filter(slot => slot.hash !== head.hash),
  );
  engine.slots.clear();
  engine.reign = reign;
  engine.setHash = validatorSetHash(engine.config.suite.sha256, reign.set);
  engine.seat = engine.config.findSeat(reign.set);
  engine.view = 0;
  engine.active = true;
  engine.digest = ZERO_HASH;
  engine.viewTop = reign.startHeight;
  engine.newView = null;
  engine.ownViewChange = null;
  engine.viewChanges.clear();
  engine.progressView = 0;
  engine.complaint = null;
  engine.complaints.clear();
  engine.future.bySigner.clear();
  engine.future.count = 0;
  engine.stableHeight = reign.startHeight;
  engine.stableHash = reign.startHash;
  engine.checkpoints.clear();
  engine.ownCheckpoints = [];
  engine.signedValues.clear();
  engine.evidenceGiven.clear();
  engine.build = null;
  engine.syncTarget = null;
  engine.syncAhead = false;
  cancelTimer(engine, 'view');
  moveHead(engine, head, parameters);
  emit(engine, { type: 'trim', records: [] });
  sendStatus(engine, false);
}

/** The shell made a certified block durable. A height that state transfer passed meanwhile changes nothing. */
export function onCommitted(engine: Engine, height: number, parameters: EngineParameters): void {
  const slot = engine.slots.get(height);
  if (height !== headHeight(engine) + 1 || slot === undefined || !slot.commitGiven) return;
  const { header } = assertDefined(slot.block, 'a committed slot has a block');
  const hash = assertDefined(slot.hash, 'a committed slot has a hash');
  const head: Head = { header, hash, certificate: slot.decided };
  if (changesSet(header)) {
    const set = assertDefined(slot.nextSet, 'execution gave the next set');
    const { chainId } = engine.config;
    switchReign(engine, head, { chainId, set, startHeight: height, startHash: hash }, parameters);
    return;
  }
  moveHead(engine, head, parameters);
  makeCheckpoint(engine);
}

/** State transfer. The head may be of a later reign; its certificate was checked by whoever transferred it. */
export function onSynced(engine: Engine, start: EngineStart): void {
  const { header, blockHash: hash, certificate, reign, parameters } = start;
  engine.syncAhead = false;
  if (header.height <= headHeight(engine)) return;
  const head: Head = { header, hash, certificate };
  if (reign.set.id !== engine.reign.set.id) {
    switchReign(engine, head, reign, parameters);
    return;
  }
  const slot = engine.slots.get(header.height);
  if (slot?.decided !== undefined && slot.decided !== null && slot.decided.blockHash !== hash) {
    halt(engine, header.height, 'two certificates of one height');
    return;
  }
  moveHead(engine, head, parameters);
  makeCheckpoint(engine);
  sendStatus(engine, false);
}
