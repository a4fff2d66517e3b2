import { requestBlock } from './blocks.ts';
import { announceOverdue, checkpointsFor } from './checkpoint.ts';
import { emit, resend, sendAll, sendTo, sign } from './emit.ts';
import { adoptHead, requestSync } from './head.ts';
import type { ConsensusMessage, Status } from './messages.ts';
import {
  acceptedHeight,
  type Engine,
  headHeight,
  otherPeerIds,
  peerIdOf,
  shownHead,
  slotsAscending,
} from './state.ts';
import { hasUnfinished, progressMark } from './supervision.ts';

function status(engine: Engine, reply: boolean): ConsensusMessage<Status> {
  return sign<Status>(engine, {
    kind: 'status',
    view: engine.view,
    active: engine.active,
    head: shownHead(engine),
    acceptedHeight: acceptedHeight(engine),
    stableHeight: engine.stableHeight,
    reply,
  });
}

/** To everyone; an observer, which cannot sign, asks for blocks and for the view. */
export function sendStatus(engine: Engine, reply: boolean): void {
  if (engine.seat !== null) sendAll(engine, status(engine, reply));
  else ask(engine, otherPeerIds(engine));
}

function sendStatusTo(engine: Engine, peerId: string, reply: boolean): void {
  if (engine.seat !== null) sendTo(engine, peerId, status(engine, reply));
  else ask(engine, [peerId]);
}

function ask(engine: Engine, peerIds: readonly string[]): void {
  emit(engine, { type: 'sync', head: engine.syncTarget, peerIds });
  emit(engine, { type: 'fetchNewView', view: engine.view, peerIds });
}

/** Own votes above the peer's head, and the own proposals that it lacks: stored bytes, sent again. */
function pushSlots(engine: Engine, peerId: string, peer: Status): void {
  for (const slot of slotsAscending(engine)) {
    if (slot.height <= peer.head.header.height) continue;
    if (slot.height > peer.acceptedHeight) resend(engine, { peerId }, slot.proposal);
    resend(engine, { peerId }, slot.ownPrepare);
    resend(engine, { peerId }, slot.ownCommit);
  }
}

/** Sends what this node has and the peer lacks, as far as its own messages go. */
function push(engine: Engine, signer: number, peer: Status): void {
  const peerId = peerIdOf(engine, signer);
  const behind = peer.view < engine.view || (peer.view === engine.view && !peer.active);
  if (behind && engine.active) resend(engine, { peerId }, engine.newView);
  if (behind && !engine.active) resend(engine, { peerId }, engine.ownViewChange);
  if (peer.view === engine.view && engine.active) pushSlots(engine, peerId, peer);
  for (const checkpoint of checkpointsFor(engine, peer.stableHeight)) sendTo(engine, peerId, checkpoint);
}

function isAhead(engine: Engine, peer: Status): boolean {
  return (
    // A view that the peer only asks for is nothing to catch up with: it says so by VIEW-CHANGE itself.
    (peer.active && (peer.view > engine.view || (peer.view === engine.view && !engine.active))) ||
    peer.head.header.height > headHeight(engine) ||
    (peer.view === engine.view && peer.acceptedHeight > acceptedHeight(engine)) ||
    peer.stableHeight > engine.stableHeight
  );
}

/** The status messages of TOCS 2002 ("message retransmission"). Catching up is a pull: the sender gets what it lacks, and is asked once for what this node lacks. */
export function onStatus(engine: Engine, message: ConsensusMessage<Status>): void {
  const { content: peer, signed } = message;
  const ahead = isAhead(engine, peer);
  const behind = peer.head.header.height < headHeight(engine);
  adoptHead(engine, peer.head);
  if (engine.halted) return;
  if (ahead) engine.hint = true;
  if (engine.seat === null) return;
  if (!peer.reply && (ahead || behind)) sendStatusTo(engine, peerIdOf(engine, signed.signer), true);
  push(engine, signed.signer, peer);
}

export function onConnected(engine: Engine, peerId: string): void {
  sendStatusTo(engine, peerId, false);
}

/** Someone of an earlier set learns by the set id of the answer that it is behind; of a later set, this node is. */
export function onOtherSet(engine: Engine, validatorSetId: number, peerId: string): void {
  if (validatorSetId < engine.reign.set.id) {
    if (engine.seat !== null) sendStatusTo(engine, peerId, true);
    return;
  }
  if (validatorSetId === engine.reign.set.id || engine.syncAhead) return;
  engine.syncAhead = true;
  emit(engine, { type: 'sync', head: null, peerIds: [peerId] });
}

/** Says again what others may not have got while this node waits for them. */
export function resendOwn(engine: Engine): void {
  if (engine.seat === null) return;
  if (!engine.active) resend(engine, 'all', engine.ownViewChange);
  if (engine.complaint !== null) sendAll(engine, sign(engine, engine.complaint));
}

/** Runs only while something is unfinished, and asks only when nothing moved since it was set. */
export function onResendTimer(engine: Engine, armedAt: string): void {
  if (!hasUnfinished(engine) || armedAt !== progressMark(engine)) return;
  engine.resendStreak += 1;
  engine.hint = false;
  engine.syncAhead = false;
  for (const slot of engine.slots.values()) {
    requestBlock(engine, slot);
    if (slot.execution === 'rejected' && slot.retriable) slot.execution = 'none';
  }
  // Whoever could tell may have left the set and sign no status: the chain itself is asked.
  if (engine.syncTarget !== null) requestSync(engine);
  else emit(engine, { type: 'sync', head: null, peerIds: otherPeerIds(engine) });
  resendOwn(engine);
  announceOverdue(engine);
  sendStatus(engine, false);
}
