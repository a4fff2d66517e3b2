import { assertDefined } from '../base/assert.ts';
import { ZERO_HASH } from '../base/ids.ts';
import { validatorSetHash } from '../codec/chain.ts';
import { removeSlots } from './blocks.ts';
import { makeCheckpoint } from './checkpoint.ts';
import type { EngineParameters, EngineStart, Reign } from './config.ts';
import { cancelTimer, emit, halt } from './emit.ts';
import { moveHead } from './head.ts';
import { changesSet, type Engine, type Head, headHeight, slotsAscending } from './state.ts';
import { sendStatus } from './status.ts';

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
  engine.fruitlessViews = 0;
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
