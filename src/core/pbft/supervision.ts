import { isCheckpointOverdue } from './checkpoint.ts';
import { ENGINE_LIMITS } from './config.ts';
import type { TimerName } from './effect.ts';
import { cancelTimer, sendAll, setTimer, sign } from './emit.ts';
import type { Complaint, ConsensusMessage } from './messages.ts';
import { type Engine, headHeight, isPrimary, quorum, type Slot, witnesses } from './state.ts';
import { startViewChange } from './view-change.ts';

/** 2^30 times the base is above every cap. */
const BACK_OFF_EXPONENT_MAX = 30;

/** Doubles with each view since the last progress, up to the cap (SCENARIOS 44). */
export function viewTimeoutMs(engine: Engine): number {
  const { viewTimeoutMs: base, viewTimeoutMsMax } = engine.parameters;
  const exponent = Math.min(engine.view - engine.progressView, BACK_OFF_EXPONENT_MAX);
  return Math.min(base * 2 ** exponent, viewTimeoutMsMax);
}

function resendDelayMs(engine: Engine): number {
  const { viewTimeoutMs: base } = engine.parameters;
  const first = Math.max(1, Math.floor(base / ENGINE_LIMITS.resendDivisor));
  return Math.min(first * 2 ** Math.min(engine.resendStreak, BACK_OFF_EXPONENT_MAX), base);
}

/** Signers at or above this node's view, itself included: enough of them and the wait for a NEW-VIEW is timed. */
export function viewChangesFrom(engine: Engine, view: number): number {
  let count = 0;
  for (const { content } of engine.viewChanges.values()) if (content.view >= view) count += 1;
  return count;
}

/** Votes of f validators alone start nothing, or one of them could keep an idle network busy. */
function isUnderWay(engine: Engine, slot: Slot): boolean {
  const needed = witnesses(engine);
  return slot.proposed || slot.prepares.size >= needed || slot.commits.size >= needed;
}

function hasUndecided(engine: Engine): boolean {
  for (const slot of engine.slots.values())
    if (slot.decided === null && isUnderWay(engine, slot)) return true;
  return false;
}

function hasOpenSlot(engine: Engine): boolean {
  for (const slot of engine.slots.values())
    if (slot.decided !== null || isUnderWay(engine, slot)) return true;
  return false;
}

/** What the view timer should be running for; null when for nothing. Another purpose starts it afresh. */
function viewPurpose(engine: Engine): string | null {
  if (engine.seat === null) return null;
  if (!engine.active)
    return viewChangesFrom(engine, engine.view) >= quorum(engine) ? `await:${engine.view}` : null;
  if (isPrimary(engine) || !(engine.waiting || hasUndecided(engine))) return null;
  return `supervise:${engine.view}:${headHeight(engine)}`;
}

/** Whether anything is unfinished here; an idle network must send nothing (SCENARIOS 4). */
export function hasUnfinished(engine: Engine): boolean {
  return (
    (!engine.active && engine.resendStreak < ENGINE_LIMITS.idleResends) ||
    engine.waiting ||
    engine.hint ||
    engine.syncAhead ||
    engine.syncTarget !== null ||
    hasOpenSlot(engine) ||
    isCheckpointOverdue(engine)
  );
}

/** Changes whenever there was progress: then the resend timer only starts again. */
export function progressMark(engine: Engine): string {
  return `${engine.view}:${engine.active}:${headHeight(engine)}:${engine.stableHeight}`;
}

export function updateTimers(engine: Engine): void {
  const purpose = viewPurpose(engine);
  if (purpose === null) cancelTimer(engine, 'view');
  else if (engine.timers.get('view')?.purpose !== purpose)
    setTimer(engine, 'view', viewTimeoutMs(engine), purpose);
  if (!engine.timers.has('resend') && hasUnfinished(engine))
    setTimer(engine, 'resend', resendDelayMs(engine), progressMark(engine));
}

/** Takes a fired timer: its purpose, or null when it was replaced meanwhile. */
export function takeTimer(engine: Engine, name: TimerName, generation: number): string | null {
  const armed = engine.timers.get(name);
  if (armed?.generation !== generation) return null;
  engine.timers.delete(name);
  return armed.purpose;
}

/**
 * Who wants this view to end: lasting complaints, those of signers that have seen no more progress than this node, and
 * signers that ask for a higher view. Without the last, a node that left the view alone could be missing for f + 1.
 */
function standingComplaints(engine: Engine): number {
  const against = new Set<number>();
  for (const [signer, { lasting, height }] of engine.complaints)
    if (lasting || height >= headHeight(engine)) against.add(signer);
  for (const [signer, { content }] of engine.viewChanges) if (content.view > engine.view) against.add(signer);
  return against.size;
}

/** f + 1 complaints contain an honest one; fewer change nothing, so that one bad link puts nobody out of its view. */
export function judge(engine: Engine): void {
  if (engine.active && standingComplaints(engine) >= witnesses(engine))
    startViewChange(engine, engine.view + 1);
}

export function onComplaint(engine: Engine, message: ConsensusMessage<Complaint>): void {
  const { content, signed } = message;
  if (content.view > engine.view) engine.hint = true;
  if (content.view !== engine.view || !engine.active) return;
  const known = engine.complaints.get(signed.signer);
  if (known?.lasting && !content.lasting) return;
  engine.complaints.set(signed.signer, content);
  judge(engine);
}

/** Says that the primary of this view should be replaced. Nobody complains of itself. */
export function complain(engine: Engine, lasting: boolean): void {
  if (engine.seat === null || !engine.active || isPrimary(engine)) return;
  const complaint: Complaint = {
    kind: 'complaint',
    view: engine.view,
    height: headHeight(engine),
    lasting: lasting || engine.complaint?.lasting === true,
  };
  engine.complaint = complaint;
  const message = sign(engine, complaint);
  sendAll(engine, message);
  onComplaint(engine, message);
}

/** Progress answers every complaint but a lasting one. */
export function withdrawComplaints(engine: Engine): void {
  if (engine.complaint !== null && !engine.complaint.lasting) engine.complaint = null;
  for (const [signer, { lasting, height }] of engine.complaints)
    if (!lasting && height < headHeight(engine)) engine.complaints.delete(signer);
}

export function onViewTimer(engine: Engine): void {
  if (engine.active) complain(engine, false);
  else startViewChange(engine, engine.view + 1);
}
