import { equalBytes } from '../base/bytes.ts';
import { ZERO_HASH } from '../base/ids.ts';
import { removeSlots } from './blocks.ts';
import { complain, dropComplaints, isUnwanted, nextView } from './complaints.ts';
import { ENGINE_LIMITS } from './config.ts';
import { giveEvidence, persist, pruneSigned, resend, sign, toAll } from './emit.ts';
import { adoptHead } from './head.ts';
import type { ConsensusMessage, PreparedProof, ViewChange } from './messages.ts';
import {
  type Engine,
  endSlotView,
  headHeight,
  lastHeightOfView,
  peerIdOf,
  shownHead,
  slotsAscending,
  witnesses,
} from './state.ts';
import { encodeWalMessage } from './wal-record.ts';

/** Leaves the current view for `view`, waiting for its NEW-VIEW. Overlays and prepared proofs stay. */
export function enterView(engine: Engine, view: number): void {
  engine.view = view;
  engine.active = false;
  engine.digest = ZERO_HASH;
  engine.newView = null;
  engine.build = null;
  engine.resendStreak = 0;
  dropComplaints(engine);
  for (const slot of engine.slots.values()) endSlotView(slot);
  removeSlots(
    engine,
    slotsAscending(engine).filter(slot => slot.hash === null),
  );
  for (const [signer, { content }] of engine.viewChanges)
    if (content.view < view) engine.viewChanges.delete(signer);
  pruneSigned(engine);
}

/** Own prepared proofs above the head, of whatever view; those being written are ahead of the VIEW-CHANGE in the log. */
function preparedProofs(engine: Engine): PreparedProof[] {
  return slotsAscending(engine).flatMap(slot => (slot.preparedProof === null ? [] : [slot.preparedProof]));
}

/** OSDI 4.4: the last commit with its certificate, and what is prepared above it. Never backwards. */
function startViewChange(engine: Engine, view: number): void {
  if (engine.seat === null || view <= engine.view || view > ENGINE_LIMITS.viewMax) return;
  enterView(engine, view);
  const message = sign<ViewChange>(engine, {
    kind: 'viewChange',
    view,
    head: shownHead(engine),
    prepared: preparedProofs(engine),
  });
  engine.ownViewChange = message;
  persist(engine, [encodeWalMessage(message.signed)], [toAll(message)], [message]);
}

/** The highest view that f + 1 signers ask for, one of them honest; the current one when there is none higher (4.5.2). */
function joinableView(engine: Engine): number {
  const views = [...engine.viewChanges.values()].map(({ content }) => content.view).sort((a, b) => b - a);
  return Math.max(views[witnesses(engine) - 1] ?? 0, engine.view);
}

/** With `rotationBlocks`, a view ends in good order once its last height is committed. */
function isOver(engine: Engine): boolean {
  return engine.active && headHeight(engine) >= lastHeightOfView(engine);
}

/** Every reason to leave the view but an own timer; looked at after every input. An observer only follows NEW-VIEWs. */
export function leaveView(engine: Engine): void {
  if (engine.seat === null) return;
  if (isOver(engine)) {
    startViewChange(engine, nextView(engine));
    return;
  }
  const view = Math.max(joinableView(engine), isUnwanted(engine) ? nextView(engine) : engine.view);
  if (view === engine.view) return;
  engine.fruitlessViews += 1;
  startViewChange(engine, view);
}

/** The view brought no progress: complain of its primary, or give up waiting for its NEW-VIEW. */
export function onViewTimer(engine: Engine): void {
  if (engine.active) {
    complain(engine, false);
    return;
  }
  engine.fruitlessViews += 1;
  startViewChange(engine, nextView(engine));
}

function keep(engine: Engine, message: ConsensusMessage<ViewChange>): void {
  const { signer } = message.signed;
  const known = engine.viewChanges.get(signer);
  if (known === undefined || known.content.view < message.content.view) {
    engine.viewChanges.set(signer, message);
    return;
  }
  // Deterministic content: two different ones for one view are two signed values of one slot.
  if (known.content.view !== message.content.view) return;
  if (!equalBytes(known.signed.body, message.signed.body)) giveEvidence(engine, known.signed, message.signed);
}

/** Counts once a signer (SCENARIOS 41). Who asks for a view that is open already gets its NEW-VIEW. */
export function onViewChange(engine: Engine, message: ConsensusMessage<ViewChange>): void {
  const { content, signed } = message;
  adoptHead(engine, content.head);
  if (engine.halted || content.view < engine.view) return;
  if (content.view === engine.view && engine.active)
    resend(engine, { peerId: peerIdOf(engine, signed.signer) }, engine.newView);
  else keep(engine, message);
}
