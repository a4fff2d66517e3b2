import { assert, assertDefined } from '../base/assert.ts';
import type { BlockHash } from '../base/ids.ts';
import type { Reject } from '../base/reject.ts';
import { validatorSetHash } from '../codec/chain.ts';
import { faultsTolerated } from '../quorum/quorum.ts';
import type { Header, ValidatorSet } from '../types/chain.ts';
import { complain } from './complaints.ts';
import { emit, halt } from './emit.ts';
import { changesSet, type Engine, headHeight, peerIdOf, primaryOf, type Slot } from './state.ts';

/** What a slot's parent is: the head, or the slot below. */
export interface Parent {
  readonly header: Header;
  readonly hash: BlockHash;
  readonly isHead: boolean;
  readonly slot: Slot | null;
}

export function parentOf(engine: Engine, slot: Slot): Parent | null {
  const { head } = engine;
  if (slot.height === headHeight(engine) + 1)
    return { header: head.header, hash: head.hash, isHead: true, slot: null };
  const below = engine.slots.get(slot.height - 1);
  if (below === undefined || below.block === null || below.hash === null) return null;
  return { header: below.block.header, hash: below.hash, isHead: false, slot: below };
}

/** The fields that follow from the parent and the set; all others are the result of execution. */
function standsOn(engine: Engine, header: Header, parent: Parent): boolean {
  const { reign } = engine;
  return (
    header.chainId === reign.chainId &&
    header.height === parent.header.height + 1 &&
    header.parentHash === parent.hash &&
    header.timeMs > parent.header.timeMs &&
    header.validatorSetId === reign.set.id &&
    header.validatorSetHash === engine.setHash &&
    header.previousSetChangeHeight === reign.startHeight &&
    (parent.isHead || !changesSet(parent.header))
  );
}

function rejectProposal(engine: Engine, slot: Slot, retriable: boolean): void {
  slot.execution = 'rejected';
  slot.retriable = retriable;
  // So many primaries in a row may be faulty. After more of them the cause is another, as clocks that differ, and the timer
  // decides, which backs off (SCENARIOS 44): otherwise views would end as fast as messages travel.
  const isTheirs = engine.fruitlessViews <= faultsTolerated(engine.reign.set.validators.length);
  if (slot.proposed && isTheirs) complain(engine, !retriable);
}

/**
 * Execution comes before the vote, not after the commit as in the paper (4.2): so a certificate certifies order and result.
 * From the head upwards, each block on the overlay of the one below.
 */
export function tryExecute(engine: Engine, slot: Slot, parent: Parent): void {
  const { block, hash } = slot;
  if (slot.execution !== 'none' || block === null || hash === null) return;
  if (!slot.proposed && slot.decided === null) return;
  if (!parent.isHead && parent.slot?.execution !== 'done') return;
  if (!standsOn(engine, block.header, parent)) {
    // A certified block on another parent: the parent's slot is the wrong one, and state transfer replaces it.
    if (slot.decided === null) rejectProposal(engine, slot, false);
    return;
  }
  slot.execution = 'running';
  slot.executionId = engine.nextId;
  engine.nextId += 1;
  slot.executedTrusted = slot.reproposed || slot.decided !== null || slot.ownPrepare !== null;
  emit(engine, {
    type: 'execute',
    executionId: slot.executionId,
    block,
    blockHash: hash,
    proposerPeerId: peerIdOf(engine, slot.proposal?.signed.signer ?? primaryOf(engine, engine.view)),
    checkClock: !slot.executedTrusted,
  });
}

export function takeNextSet(engine: Engine, slot: Slot, nextSet: ValidatorSet | null): void {
  const header = assertDefined(slot.block, 'an executed slot has a block').header;
  if (!changesSet(header)) return;
  assert(
    nextSet !== null && validatorSetHash(engine.config.suite.sha256, nextSet) === header.nextValidatorSetHash,
    'the execution result names the set that the header commits to',
  );
  slot.nextSet = nextSet;
}

/** An answer to an execution that was given up meanwhile changes nothing. */
export function onExecuted(
  engine: Engine,
  executionId: number,
  verdict: Reject | null,
  nextSet: ValidatorSet | null,
): void {
  for (const slot of engine.slots.values()) {
    if (slot.execution !== 'running' || slot.executionId !== executionId) continue;
    if (verdict === null) {
      takeNextSet(engine, slot, nextSet);
      slot.execution = 'done';
    } else if (slot.decided !== null && !slot.executedTrusted) {
      slot.execution = 'none';
    } else if (slot.decided !== null || slot.ownPrepare !== null) {
      halt(engine, slot.height, `execution contradicts what was certified or voted: ${verdict.detail}`);
    } else rejectProposal(engine, slot, verdict.peer === 'ignore');
    return;
  }
}
