import { headerHash } from '../codec/chain.ts';
import { removeMismatched, removeSlots } from './blocks.ts';
import { decide } from './commit.ts';
import { withdrawComplaints } from './complaints.ts';
import type { EngineParameters } from './config.ts';
import { emit, halt, pruneSigned } from './emit.ts';
import type { ShownHead } from './messages.ts';
import { type Engine, type Head, headHeight, peerIdOf, slotsAscending } from './state.ts';

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
export function moveHead(engine: Engine, head: Head, parameters: EngineParameters): void {
  engine.head = head;
  engine.parameters = parameters;
  const over = slotsAscending(engine).filter(({ height }) => height <= head.header.height);
  for (const slot of over) if (slot.hash === head.hash) engine.slots.delete(slot.height);
  removeSlots(
    engine,
    over.filter(slot => slot.hash !== head.hash),
  );
  removeMismatched(engine);
  if (engine.active) engine.fruitlessViews = 0;
  engine.resendStreak = 0;
  if (engine.syncTarget !== null && engine.syncTarget.header.height <= head.header.height)
    engine.syncTarget = null;
  withdrawComplaints(engine);
  pruneSigned(engine);
}
