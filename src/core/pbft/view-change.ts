import { equalBytes } from '../base/bytes.ts';
import { ZERO_HASH } from '../base/ids.ts';
import { removeSlots } from './blocks.ts';
import { giveEvidence, persist, pruneSigned, resend, sign, toAll } from './emit.ts';
import type { ConsensusMessage, PreparedProof, ViewChange } from './messages.ts';
import { makeNewView } from './new-view.ts';
import { adoptHead } from './reconfiguration.ts';
import {
  type Engine,
  endSlotView,
  isPrimary,
  peerIdOf,
  quorum,
  shownHead,
  slotsAscending,
  witnesses,
} from './state.ts';
import { judge } from './supervision.ts';
import { encodeWalMessage } from './wal-record.ts';

/** Leaves the current view for `view`, waiting for its NEW-VIEW. Overlays and prepared proofs stay. */
export function enterView(engine: Engine, view: number): void {
  engine.view = view;
  engine.active = false;
  engine.digest = ZERO_HASH;
  engine.newView = null;
  engine.complaint = null;
  engine.complaints.clear();
  engine.build = null;
  engine.resendStreak = 0;
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

/** Never backwards; an observer only follows NEW-VIEWs. */
export function startViewChange(engine: Engine, view: number): void {
  if (engine.seat === null || view <= engine.view) return;
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

/** The highest view that f + 1 signers ask for, one of them honest; the current one when there is none higher. */
function joinableView(engine: Engine): number {
  const views = [...engine.viewChanges.values()].map(({ content }) => content.view).sort((a, b) => b - a);
  return Math.max(views[witnesses(engine) - 1] ?? 0, engine.view);
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

/** A VIEW-CHANGE counts once a signer (SCENARIOS 41); f + 1 for higher views are joined, a quorum opens the view. */
export function onViewChange(engine: Engine, message: ConsensusMessage<ViewChange>): void {
  const { content, signed } = message;
  adoptHead(engine, content.head);
  if (engine.halted || content.view < engine.view) return;
  if (content.view === engine.view && engine.active) {
    resend(engine, { peerId: peerIdOf(engine, signed.signer) }, engine.newView);
    return;
  }
  keep(engine, message);
  startViewChange(engine, joinableView(engine));
  judge(engine);
  tryOpenView(engine);
}

/** The primary of a view that a quorum asks for opens it. */
export function tryOpenView(engine: Engine): void {
  if (engine.active || !isPrimary(engine)) return;
  const asked = [...engine.viewChanges.values()]
    .filter(({ content }) => content.view === engine.view)
    .sort((a, b) => a.signed.signer - b.signed.signer);
  if (asked.length >= quorum(engine)) makeNewView(engine, asked);
}
