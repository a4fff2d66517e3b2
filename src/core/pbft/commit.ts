import type { Certificate } from '../types/chain.ts';
import { bindSlot, removeAbove, requestBlock } from './blocks.ts';
import { emit, halt, persist, sign, toAll } from './emit.ts';
import type { Parent } from './execution.ts';
import type { Vote } from './messages.ts';
import { type Engine, quorum, type Slot, withdrawSlot } from './state.ts';
import { certificateOf } from './votes.ts';
import { encodeWalMessage, encodeWalRecord } from './wal-record.ts';

/**
 * OSDI '99, 4.2: whoever has prepared says COMMIT. For h + 1 that needs the prepared certificate of h in this view, so that what is
 * committed never stands above a hole; the own certificate is durable before the vote leaves.
 */
export function tryCommit(engine: Engine, slot: Slot, parent: Parent): void {
  if (!engine.active || !slot.accepted || slot.preparedHere) return;
  if (parent.slot !== null && !parent.slot.preparedHere) return;
  const { block, hash } = slot;
  if (block === null || hash === null) return;
  const logged = slot.preparedProof?.certificate;
  const certificate =
    logged?.view === engine.view ? logged : certificateOf(engine, slot.prepares, slot.height, hash);
  if (certificate === null) return;
  slot.preparedHere = true;
  slot.preparedProof = { header: block.header, certificate };
  if (engine.seat === null) return;
  const { view, digest } = engine;
  const vote = sign<Vote>(engine, {
    kind: 'commit',
    view,
    newViewDigest: digest,
    height: slot.height,
    blockHash: hash,
  });
  slot.ownCommit = vote;
  const prepared = encodeWalRecord({ type: 'prepared', proof: slot.preparedProof });
  persist(engine, [prepared, encodeWalMessage(vote.signed)], [toAll(vote)], [vote]);
}

/** The slot's block is certified. What is at hand is executed without the clock; what is missing is fetched. */
export function decide(engine: Engine, slot: Slot, certificate: Certificate): void {
  if (slot.decided !== null) {
    if (slot.decided.blockHash !== certificate.blockHash)
      halt(engine, slot.height, 'two certificates of one height');
    return;
  }
  slot.decided = certificate;
  // another block than the proposed one: no further vote in this view, and none for what stands on that one
  if (slot.hash !== certificate.blockHash) {
    removeAbove(engine, slot);
    withdrawSlot(slot);
  }
  bindSlot(engine, slot, certificate.blockHash);
  if (slot.execution === 'rejected') {
    if (slot.executedTrusted) {
      halt(engine, slot.height, 'execution contradicts the commit certificate');
      return;
    }
    slot.execution = 'none';
  }
  requestBlock(engine, slot);
}

export function tryDecide(engine: Engine, slot: Slot): void {
  if (slot.decided !== null || slot.commits.size < quorum(engine)) return;
  for (const { content } of slot.commits.values()) {
    const certificate = certificateOf(engine, slot.commits, slot.height, content.blockHash);
    if (certificate === null) continue;
    decide(engine, slot, certificate);
    return;
  }
}

export function tryGiveCommit(engine: Engine, slot: Slot, parent: Parent): void {
  const { block, hash, decided } = slot;
  if (slot.commitGiven || decided === null || slot.execution !== 'done') return;
  if (!parent.isHead && !parent.slot?.commitGiven) return;
  if (block === null || hash === null) return;
  slot.commitGiven = true;
  emit(engine, { type: 'commit', block, blockHash: hash, certificate: decided });
}
