import type { BlockHash } from '../base/ids.ts';
import { headerHash } from '../codec/chain.ts';
import type { Block } from '../types/chain.ts';
import { emit } from './emit.ts';
import { type Engine, headHeight, newSlot, otherPeerIds, type Slot, slotsAscending } from './state.ts';
import { verifyBlockEntries } from './verify.ts';

/** Whether any slot still stands on this block, so that its overlay must stay. */
function inFlight(engine: Engine, hash: BlockHash): boolean {
  for (const slot of engine.slots.values()) if (slot.hash === hash) return true;
  return false;
}

/** Gives up blocks that are in no slot any more: overlays dropped, transactions back to the pool. */
export function giveUp(engine: Engine, blocks: readonly Block[]): void {
  const gone = blocks
    .map(block => ({ block, hash: headerHash(engine.config.suite.sha256, block.header) }))
    .filter(({ hash }) => !inFlight(engine, hash));
  if (gone.length === 0) return;
  emit(engine, { type: 'discard', blockHashes: gone.map(({ hash }) => hash) });
  emit(engine, { type: 'returnToPool', blocks: gone.map(({ block }) => block) });
}

/** Removes slots; what they held is given up. */
export function removeSlots(engine: Engine, slots: readonly Slot[]): void {
  for (const slot of slots) engine.slots.delete(slot.height);
  giveUp(
    engine,
    slots.flatMap(slot => (slot.block === null ? [] : [slot.block])),
  );
}

function clearBlock(slot: Slot): void {
  const blank = newSlot(slot.height);
  slot.block = null;
  slot.blockLogged = false;
  slot.execution = 'none';
  slot.executionId = 0;
  slot.executedTrusted = false;
  slot.retriable = false;
  slot.nextSet = null;
  slot.preparedProof = blank.preparedProof;
}

/** Binds the slot to a block hash; another block that it held is given up, with the proof that names it. */
export function bindSlot(engine: Engine, slot: Slot, hash: BlockHash): void {
  if (slot.hash === hash) return;
  const replaced = slot.block;
  slot.hash = hash;
  clearBlock(slot);
  if (replaced !== null) giveUp(engine, [replaced]);
}

export function requestBlock(engine: Engine, slot: Slot): void {
  if (slot.hash === null || slot.block !== null) return;
  const peerIds = otherPeerIds(engine);
  emit(engine, { type: 'fetchBlock', blockHash: slot.hash, height: slot.height, peerIds });
}

/** The answer to `fetchBlock`; a block that nobody waits for, or whose entries are not its own, changes nothing. */
export function onFetched(engine: Engine, block: Block): void {
  const { suite } = engine.config;
  const slot = engine.slots.get(block.header.height);
  if (slot === undefined || slot.block !== null || slot.hash === null) return;
  if (headerHash(suite.sha256, block.header) !== slot.hash || !verifyBlockEntries(suite, block)) return;
  slot.block = block;
}

/** What stands, one on the other, on the block of this slot goes: another block is committed in its place. */
export function removeAbove(engine: Engine, { height, hash }: Slot): void {
  const gone: Slot[] = [];
  let below = hash;
  for (let at = height + 1; ; at += 1) {
    const slot = engine.slots.get(at);
    if (slot === undefined || slot.decided !== null || slot.block?.header.parentHash !== below) break;
    gone.push(slot);
    below = slot.hash;
  }
  removeSlots(engine, gone);
}

/** A slot whose block does not stand on the head can never be decided: it and what is above it go. */
export function removeMismatched(engine: Engine): void {
  const next = engine.slots.get(headHeight(engine) + 1);
  if (next?.block === null || next?.block === undefined) return;
  if (next.block.header.parentHash === engine.head.hash) return;
  removeSlots(
    engine,
    slotsAscending(engine).filter(slot => slot.decided === null),
  );
}
