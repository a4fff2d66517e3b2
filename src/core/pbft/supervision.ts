import { isCheckpointOverdue } from './checkpoint.ts';
import { ENGINE_LIMITS } from './config.ts';
import type { TimerName } from './effect.ts';
import { cancelTimer, setTimer } from './emit.ts';
import { type Engine, hasUndecided, headHeight, isPrimary, isUnderWay, quorum } from './state.ts';

/** 2^30 times the base is above every cap. */
const BACK_OFF_EXPONENT_MAX = 30;

/** Doubles with each view since the last progress, up to the cap (OSDI 4.5.2; SCENARIOS 44). */
export function viewTimeoutMs(engine: Engine): number {
  const { viewTimeoutMs: base, viewTimeoutMsMax } = engine.parameters;
  const exponent = Math.min(engine.fruitlessViews, BACK_OFF_EXPONENT_MAX);
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
