import { sendAll, sign } from './emit.ts';
import type { Complaint, ConsensusMessage } from './messages.ts';
import {
  type Engine,
  hasUndecided,
  headHeight,
  isPrimary,
  peerIdOf,
  primaryOf,
  setSize,
  witnesses,
} from './state.ts';

// The paper's replica leaves its view when its own timer fires (4.5.2). Here it complains and goes on voting, and f + 1
// complaints, one of them honest, end the view: one bad link puts nobody out of it.

function isGone(engine: Engine, index: number): boolean {
  return engine.unreachable.has(peerIdOf(engine, index));
}

/** Lost validators, ascending. Nobody loses itself. */
function goneHere(engine: Engine): number[] {
  return engine.reign.set.validators.flatMap((_, index) =>
    index !== engine.seat?.index && isGone(engine, index) ? [index] : [],
  );
}

/** Takes the highest of each signer, so that what it says of a view that this node enters later is not lost. */
export function onComplaint(engine: Engine, message: ConsensusMessage<Complaint>): void {
  const { content, signed } = message;
  if (content.view < engine.view) return;
  if (content.view > engine.view) engine.hint = true;
  const known = engine.complaints.get(signed.signer);
  if (known !== undefined && known.view > content.view) return;
  if (known?.view === content.view && known.lasting && !content.lasting) return;
  engine.complaints.set(signed.signer, content);
}

function say(engine: Engine, lasting: boolean): void {
  const complaint: Complaint = {
    kind: 'complaint',
    view: engine.view,
    height: headHeight(engine),
    lasting: lasting || engine.complaint?.lasting === true,
    gone: goneHere(engine),
  };
  engine.complaint = complaint;
  const message = sign(engine, complaint);
  sendAll(engine, message);
  onComplaint(engine, message);
}

/** Says that the primary of this view should be replaced. Nobody complains of itself. */
export function complain(engine: Engine, lasting: boolean): void {
  if (engine.seat !== null && engine.active && !isPrimary(engine)) say(engine, lasting);
}

/**
 * Who has lost the connection to the primary says so as soon as it matters: when something waits for it, or when its NEW-VIEW
 * is awaited. Once a view, and again when more validators are lost, so that the next one is not tried in vain.
 */
export function complainOfGone(engine: Engine): void {
  if (engine.seat === null || isPrimary(engine) || !isGone(engine, primaryOf(engine, engine.view))) return;
  if (engine.active && !engine.waiting && !hasUndecided(engine)) return;
  const said = engine.complaint;
  if (said?.lasting && goneHere(engine).every(index => said.gone.includes(index))) return;
  say(engine, true);
}

/** Progress answers every complaint but a lasting one. */
export function withdrawComplaints(engine: Engine): void {
  if (engine.complaint !== null && !engine.complaint.lasting) engine.complaint = null;
  for (const [signer, { view, lasting, height }] of engine.complaints)
    if (view === engine.view && !lasting && height < headHeight(engine)) engine.complaints.delete(signer);
}

/** The view has ended: what was said of it is over. */
export function dropComplaints(engine: Engine): void {
  engine.complaint = null;
  for (const [signer, { view }] of engine.complaints)
    if (view < engine.view) engine.complaints.delete(signer);
}

/**
 * Whether f + 1 signers want this view to end: lasting complaints, those of signers that have seen no more progress than this
 * node, and signers that are in a higher view. Without the last, a node that left the view alone could be missing for f + 1.
 * While a NEW-VIEW is awaited only the loss of its primary counts.
 */
export function isUnwanted(engine: Engine): boolean {
  const against = new Set<number>();
  const primary = primaryOf(engine, engine.view);
  for (const [signer, { view, lasting, height, gone }] of engine.complaints) {
    const counts = engine.active ? lasting || height >= headHeight(engine) : gone.includes(primary);
    if (view > engine.view || counts) against.add(signer);
  }
  for (const [signer, { content }] of engine.viewChanges) if (content.view > engine.view) against.add(signer);
  return against.size >= witnesses(engine);
}

/** The next view, past those whose primary f + 1 signers have lost; several dead ones in a row are skipped in one go. */
export function nextView(engine: Engine): number {
  const isLost = (index: number) => {
    let count = 0;
    for (const { gone } of engine.complaints.values()) if (gone.includes(index)) count += 1;
    return count >= witnesses(engine);
  };
  const next = engine.view + 1;
  for (let view = next; view < next + setSize(engine); view += 1)
    if (!isLost(primaryOf(engine, view))) return view;
  return next;
}
