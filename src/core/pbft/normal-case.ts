import { assert, assertDefined } from '../base/assert.ts';
import type { BlockHash } from '../base/ids.ts';
import type { Reject } from '../base/reject.ts';
import { headerHash, validatorSetHash } from '../codec/chain.ts';
import type { Certificate, Header, ValidatorSet } from '../types/chain.ts';
import { bindSlot, requestBlock } from './blocks.ts';
import { emit, giveEvidence, halt, persist, preparedOther, sign, toAll } from './emit.ts';
import { buffer } from './future.ts';
import type { ConsensusMessage, PrePrepare, Vote } from './messages.ts';
import {
  changesSet,
  type Engine,
  headHeight,
  highestHeight,
  peerIdOf,
  primaryOf,
  quorum,
  type Slot,
  slotAt,
  type Votes,
} from './state.ts';
import { complain } from './supervision.ts';
import { encodeWalMessage, encodeWalRecord } from './wal-record.ts';

/** Whether a proposal or vote is for now; what is for later goes to the buffer, what is over is dropped. */
function isCurrent(engine: Engine, message: ConsensusMessage<PrePrepare | Vote>, height: number): boolean {
  const { view, newViewDigest } = message.content;
  if (view < engine.view || height <= headHeight(engine)) return false;
  if (view > engine.view || !engine.active || height > highestHeight(engine)) {
    buffer(engine, message);
    return false;
  }
  return newViewDigest === engine.digest;
}

export function onPrePrepare(engine: Engine, message: ConsensusMessage<PrePrepare>): void {
  const { block } = message.content;
  const { height } = block.header;
  if (!isCurrent(engine, message, height)) return;
  const hash = headerHash(engine.config.suite.sha256, block.header);
  const slot = slotAt(engine, height);
  if (slot.hash === hash && slot.block === null) slot.block = block;
  if (slot.proposal !== null && slot.hash !== hash) {
    giveEvidence(engine, slot.proposal.signed, message.signed);
    complain(engine, true);
  }
  // What the NEW-VIEW covers is not the primary's to propose again, and a certified height needs no vote.
  if (slot.proposed || slot.decided !== null || height <= engine.viewTop) return;
  if (preparedOther(engine, height, hash)) return;
  bindSlot(engine, slot, hash);
  if (slot.block === null) slot.block = block;
  slot.proposal = message;
  slot.proposed = true;
}

export function onVote(engine: Engine, message: ConsensusMessage<Vote>): void {
  const { kind, height, blockHash } = message.content;
  if (!isCurrent(engine, message, height)) return;
  const slot = slotAt(engine, height);
  const votes = kind === 'prepare' ? slot.prepares : slot.commits;
  const known = votes.get(message.signed.signer);
  if (known === undefined) votes.set(message.signed.signer, message);
  else if (known.content.blockHash !== blockHash) giveEvidence(engine, known.signed, message.signed);
}

/** A quorum of votes for `hash`, signers ascending; null while there is none. */
function certificateOf(engine: Engine, votes: Votes, height: number, hash: BlockHash): Certificate | null {
  const needed = quorum(engine);
  if (votes.size < needed) return null;
  const matching = [...votes.values()].filter(({ content }) => content.blockHash === hash);
  if (matching.length < needed) return null;
  const signatures = matching
    .map(({ signed }) => ({ signer: signed.signer, signature: signed.signature }))
    .sort((a, b) => a.signer - b.signer)
    .slice(0, needed);
  const { view, digest, reign } = engine;
  return {
    validatorSetId: reign.set.id,
    view,
    newViewDigest: digest,
    height,
    blockHash: hash,
    signatures,
  };
}

/** What a slot's parent is: the head, or the slot below. */
interface Parent {
  readonly header: Header;
  readonly hash: BlockHash;
  readonly isHead: boolean;
  readonly slot: Slot | null;
}

function parentOf(engine: Engine, slot: Slot): Parent | null {
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
  if (slot.proposed) complain(engine, !retriable);
}

function tryExecute(engine: Engine, slot: Slot, parent: Parent): void {
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

/** PREPARE(h + 1) needs its parent accepted in this view; the proposal and the vote are durable before it leaves. */
function tryPrepare(engine: Engine, slot: Slot, parent: Parent): void {
  if (!engine.active || !slot.proposed || slot.accepted || slot.execution !== 'done') return;
  const below = parent.slot;
  if (below !== null && !below.accepted && below.decided === null) return;
  const { block, hash, proposal } = slot;
  if (hash === null || preparedOther(engine, slot.height, hash)) return;
  slot.accepted = true;
  if (engine.seat === null || block === null) return;
  const { view, digest } = engine;
  const vote = sign<Vote>(engine, {
    kind: 'prepare',
    view,
    newViewDigest: digest,
    height: slot.height,
    blockHash: hash,
  });
  slot.ownPrepare = vote;
  const records = [encodeWalMessage(vote.signed)];
  if (proposal !== null) records.unshift(encodeWalMessage(proposal.signed));
  else if (!slot.blockLogged) records.unshift(encodeWalRecord({ type: 'block', block }));
  slot.blockLogged = true;
  const own = proposal !== null && proposal.signed.signer === engine.seat.index;
  persist(
    engine,
    records,
    own ? [toAll(proposal), toAll(vote)] : [toAll(vote)],
    own ? [proposal, vote] : [vote],
  );
}

/** COMMIT(h + 1) needs the prepared certificate of h in this view; its own is durable before it leaves. */
function tryCommit(engine: Engine, slot: Slot, parent: Parent): void {
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

/** Another block than the proposed one was certified: this slot casts no further vote in this view. */
function withdraw(slot: Slot): void {
  slot.proposed = false;
  slot.reproposed = false;
  slot.proposal = null;
  slot.accepted = false;
  slot.preparedHere = false;
  slot.ownPrepare = null;
  slot.ownCommit = null;
}

/** The slot's block is certified. What is at hand is executed without the clock; what is missing is fetched. */
export function decide(engine: Engine, slot: Slot, certificate: Certificate): void {
  if (slot.decided !== null) {
    if (slot.decided.blockHash !== certificate.blockHash)
      halt(engine, slot.height, 'two certificates of one height');
    return;
  }
  slot.decided = certificate;
  if (slot.hash !== certificate.blockHash) withdraw(slot);
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

function tryDecide(engine: Engine, slot: Slot): void {
  if (slot.decided !== null || slot.commits.size < quorum(engine)) return;
  for (const { content } of slot.commits.values()) {
    const certificate = certificateOf(engine, slot.commits, slot.height, content.blockHash);
    if (certificate === null) continue;
    decide(engine, slot, certificate);
    return;
  }
}

function tryGiveCommit(engine: Engine, slot: Slot, parent: Parent): void {
  const { block, hash, decided } = slot;
  if (slot.commitGiven || decided === null || slot.execution !== 'done') return;
  if (!parent.isHead && !parent.slot?.commitGiven) return;
  if (block === null || hash === null) return;
  slot.commitGiven = true;
  emit(engine, { type: 'commit', block, blockHash: hash, certificate: decided });
}

/** Drives every slot as far as it goes, from the head upwards; each depends on nothing above it. */
export function advanceSlots(engine: Engine): void {
  for (let height = headHeight(engine) + 1; !engine.halted; height += 1) {
    const slot = engine.slots.get(height);
    if (slot === undefined) return;
    tryDecide(engine, slot);
    const parent = parentOf(engine, slot);
    if (parent === null) continue;
    tryExecute(engine, slot, parent);
    tryPrepare(engine, slot, parent);
    tryCommit(engine, slot, parent);
    tryGiveCommit(engine, slot, parent);
  }
}
