import { assertDefined } from '../base/assert.ts';
import { equalBytes } from '../base/bytes.ts';
import { SIZES } from '../types/limits.ts';
import { bindSlot, removeSlots, requestBlock } from './blocks.ts';
import { dropComplaints } from './complaints.ts';
import { ENGINE_LIMITS } from './config.ts';
import { emit, giveEvidence, halt, persist, pruneSigned, sign, toAll } from './emit.ts';
import { adoptHead } from './head.ts';
import type { ConsensusMessage, NewView, ViewChange } from './messages.ts';
import { type ChosenBlock, type ChosenWindow, chooseWindow } from './new-view-window.ts';
import { newViewDigest } from './signing.ts';
import {
  type Engine,
  endSlotView,
  headHeight,
  isPrimary,
  quorum,
  type Slot,
  slotAt,
  slotsAscending,
} from './state.ts';
import { viewChangesOf } from './verify.ts';
import { encodeWalMessage } from './wal-record.ts';

/** Kind, set id, signer, length, signature of a message inside another, and room to spare for what surrounds the list. */
const SIGNED_OVERHEAD_BYTES = 128;

/** @param asked VIEW-CHANGEs of a quorum for the current view, signers ascending */
function makeNewView(engine: Engine, asked: readonly ConsensusMessage<ViewChange>[]): void {
  const { blocks } = chooseWindow(
    engine.config.suite.sha256,
    asked.map(({ content }) => content),
  );
  const message = sign<NewView>(engine, {
    kind: 'newView',
    view: engine.view,
    viewChanges: asked.map(({ signed }) => signed),
    window: blocks.map(({ hash }) => hash),
  });
  persist(engine, [encodeWalMessage(message.signed)], [toAll(message)], [message]);
  installNewView(engine, message);
}

/**
 * A quorum of VIEW-CHANGEs for the view, signers ascending; null while there is none. When all of them do not fit a message,
 * the smallest: a faulty one may be of any size, and those of the honest fit together (`newViewBytesMax`).
 */
function askedFor(engine: Engine): ConsensusMessage<ViewChange>[] | null {
  const size = ({ signed }: ConsensusMessage) => signed.body.length + SIGNED_OVERHEAD_BYTES;
  const asked = [...engine.viewChanges.values()]
    .filter(({ content }) => content.view === engine.view)
    .sort((a, b) => size(a) - size(b));
  let bytes = SIGNED_OVERHEAD_BYTES + ENGINE_LIMITS.windowBlocksMax * SIZES.hash;
  const fitting = asked.filter(message => {
    bytes += size(message);
    return bytes <= ENGINE_LIMITS.messageBodyBytes;
  });
  if (fitting.length < quorum(engine)) return null;
  return fitting.sort((a, b) => a.signed.signer - b.signed.signer);
}

/** The primary of a view that a quorum asks for opens it (OSDI 4.4). */
export function tryOpenView(engine: Engine): void {
  if (engine.active || !isPrimary(engine)) return;
  const asked = askedFor(engine);
  if (asked !== null) makeNewView(engine, asked);
}

/** A NEW-VIEW proves by itself that a quorum is in its view, so a higher one is followed without own VIEW-CHANGE. */
export function onNewView(engine: Engine, message: ConsensusMessage<NewView>): void {
  const { view } = message.content;
  if (view < engine.view) return;
  if (view === engine.view && engine.active) {
    const known = engine.newView?.signed;
    if (known !== undefined && !equalBytes(known.body, message.signed.body))
      giveEvidence(engine, known, message.signed);
    return;
  }
  persist(engine, [encodeWalMessage(message.signed)], [], []);
  engine.durable.add(message.signed);
  installNewView(engine, message);
}

/** The chosen block takes the slot: this is the new view's proposal at that height. */
function proposeAgain(engine: Engine, chosen: ChosenBlock): void {
  const slot = slotAt(engine, chosen.header.height);
  if (slot.decided !== null && slot.decided.blockHash !== chosen.hash) return;
  bindSlot(engine, slot, chosen.hash);
  if (slot.execution === 'rejected') slot.execution = 'none';
  slot.proposed = true;
  slot.reproposed = true;
  requestBlock(engine, slot);
}

/** Everything above the chosen window goes, prepared proofs too: the NEW-VIEW proves that none of it was committed. */
function cutAbove(engine: Engine, top: number): void {
  removeSlots(
    engine,
    slotsAscending(engine).filter(slot => slot.decided === null && (slot.height > top || slot.hash === null)),
  );
}

/** A certificate of an earlier view that the new view leaves out means that more than f validators are faulty. */
function contradicts(slot: Slot, view: number, chosen: ChosenWindow): boolean {
  if (slot.decided === null || slot.decided.view >= view) return false;
  const base = chosen.base.header.height;
  if (slot.height <= base) return false;
  return chosen.blocks[slot.height - base - 1]?.hash !== slot.decided.blockHash;
}

/** Enters the view of a verified NEW-VIEW. Also replays it from the log, so that it depends on the message alone. */
export function installNewView(engine: Engine, message: ConsensusMessage<NewView>): void {
  const { suite, chainId } = engine.config;
  const { content } = message;
  const viewChanges = assertDefined(viewChangesOf(content), 'a verified NEW-VIEW holds VIEW-CHANGEs');
  const chosen = chooseWindow(suite.sha256, viewChanges);
  if (content.view > engine.view) engine.fruitlessViews += 1;
  engine.view = content.view;
  engine.active = true;
  engine.digest = newViewDigest(suite.sha256, chainId, engine.reign.set.id, content);
  engine.newView = message;
  engine.viewTop = chosen.base.header.height + chosen.blocks.length;
  dropComplaints(engine);
  engine.build = null;
  engine.buildable = engine.waiting;
  engine.resendStreak = 0;
  for (const [signer, viewChange] of engine.viewChanges)
    if (viewChange.content.view <= content.view) engine.viewChanges.delete(signer);
  pruneSigned(engine);
  for (const slot of engine.slots.values()) {
    endSlotView(slot);
    if (contradicts(slot, content.view, chosen)) {
      halt(engine, slot.height, 'a new view leaves out a committed block');
      return;
    }
  }
  emit(engine, { type: 'archive', newView: message.signed });
  adoptHead(engine, chosen.base);
  cutAbove(engine, engine.viewTop);
  for (const block of chosen.blocks)
    if (block.header.height > headHeight(engine) && !engine.halted) proposeAgain(engine, block);
}
