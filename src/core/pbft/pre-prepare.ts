import { headerHash } from '../codec/chain.ts';
import type { Block, ValidatorSet } from '../types/chain.ts';
import { bindSlot, giveUp } from './blocks.ts';
import { complain } from './complaints.ts';
import { emit, giveEvidence, preparedOther, proposedBefore, sign } from './emit.ts';
import { takeNextSet } from './execution.ts';
import { isForNow } from './future.ts';
import type { ConsensusMessage, PrePrepare } from './messages.ts';
import { changesSet, type Engine, headHeight, isPrimary, lastHeightOfView, slotAt } from './state.ts';

// The primary assigns heights and multicasts PRE-PREPAREs, several at a time up to the high watermark (OSDI '99, 4.2).

/** The block to build on: the top of what this view has proposed; null while that is not executed here. */
function buildParent(engine: Engine): { height: number; hash: Block['header']['parentHash'] } | null {
  let height = headHeight(engine);
  let { header, hash } = engine.head;
  for (;;) {
    const slot = engine.slots.get(height + 1);
    if (slot === undefined || (!slot.proposed && slot.decided === null)) break;
    if (slot.execution !== 'done' || slot.block === null || slot.hash === null) return null;
    height += 1;
    header = slot.block.header;
    hash = slot.hash;
  }
  // A block that changes the set drains the pipeline: the next height opens with its certificate.
  if (height > headHeight(engine) && changesSet(header)) return null;
  return height < engine.viewTop ? null : { height, hash };
}

/** The primary asks for the next block as soon as its last is out, up to the high watermark. */
export function maybeBuild(engine: Engine): void {
  if (!engine.active || !isPrimary(engine) || engine.build !== null) return;
  if (!engine.waiting || !engine.buildable) return;
  const parent = buildParent(engine);
  if (parent === null) return;
  const height = parent.height + 1;
  if (height > engine.stableHeight + engine.parameters.windowBlocks) return;
  if (height > lastHeightOfView(engine) || proposedBefore(engine, height)) return;
  engine.build = { id: engine.nextId, height, parentHash: parent.hash };
  engine.nextId += 1;
  const { id: buildId } = engine.build;
  emit(engine, { type: 'build', buildId, view: engine.view, height, parentHash: parent.hash });
}

/** Proposes the block; one that comes after its view ended is given up. */
export function onBuilt(engine: Engine, buildId: number, block: Block, nextSet: ValidatorSet | null): void {
  if (engine.build?.id !== buildId) {
    giveUp(engine, [block]);
    return;
  }
  const { height } = engine.build;
  engine.build = null;
  const parent = buildParent(engine);
  if (parent === null || parent.height + 1 !== height || parent.hash !== block.header.parentHash) {
    giveUp(engine, [block]);
    return;
  }
  const slot = slotAt(engine, height);
  slot.hash = headerHash(engine.config.suite.sha256, block.header);
  slot.block = block;
  slot.execution = 'done';
  takeNextSet(engine, slot, nextSet);
  slot.proposal = sign<PrePrepare>(engine, {
    kind: 'prePrepare',
    view: engine.view,
    newViewDigest: engine.digest,
    block,
  });
  slot.proposed = true;
}

export function onBuildEmpty(engine: Engine, buildId: number): void {
  if (engine.build?.id !== buildId) return;
  // Empty on a parent that was given up meanwhile says nothing about the one that stands now.
  engine.buildable = buildParent(engine)?.hash !== engine.build.parentHash;
  engine.build = null;
}

// Everyone else.

export function onPrePrepare(engine: Engine, message: ConsensusMessage<PrePrepare>): void {
  const { block } = message.content;
  const { height } = block.header;
  if (!isForNow(engine, message, height)) return;
  const hash = headerHash(engine.config.suite.sha256, block.header);
  const slot = slotAt(engine, height);
  if (slot.hash === hash && slot.block === null) slot.block = block;
  if (slot.proposal !== null && slot.hash !== hash) {
    giveEvidence(engine, slot.proposal.signed, message.signed);
    complain(engine, true);
  }
  // What the NEW-VIEW covers is not the primary's to propose again, and a certified height needs no vote.
  if (slot.proposed || slot.decided !== null || height <= engine.viewTop) return;
  if (height > lastHeightOfView(engine) || preparedOther(engine, height, hash)) return;
  bindSlot(engine, slot, hash);
  if (slot.block === null) slot.block = block;
  slot.proposal = message;
  slot.proposed = true;
}
