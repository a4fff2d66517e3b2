import { hasEpochLeft, keyholders } from '../../core/access/epochs.ts';
import { hasRole, isActive, isStandIn, isSuspended, participantOf } from '../../core/access/standing.ts';
import type { MemberId, PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { CUSTODY } from '../../core/types/operation.ts';
import type { PhaseState, SystemState } from '../../core/types/state.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Records } from './service.ts';

/** What each rotator before this one in the order is given to do it first. */
const TURN_MS = 5_000;
/** Pause after an attempt that failed; doubled with each, up to the second. */
const RETRY_MS = 2_000;
const RETRY_MS_MAX = 5 * 60_000;

/**
 * Who may open the next epoch of a phase in the custody of its participants, in the order of their turns: it begins with
 * another member at each epoch, so that one whose node is gone does not delay every time.
 */
export function rotatorsOf(system: SystemState, phase: PhaseState): MemberId[] {
  const holders = keyholders(system, phase);
  const able = (id: MemberId) => holders.has(id) && !isSuspended(system, id);
  const members = phase.participants.map(entry => entry.member).filter(able);
  const led = members.filter(id => id === phase.owner || hasRole(participantOf(phase, id), 'steward'));
  const rotators = led.length > 0 ? led : members.filter(id => isStandIn(system, phase, id));
  if (rotators.length === 0) return [];
  const first = phase.epochs.length % rotators.length;
  return [...rotators.slice(first), ...rotators.slice(0, first)];
}

/** True where nobody can write until a participant has opened an epoch. */
export function awaitsRotation(phase: PhaseState): boolean {
  return phase.frozen && phase.custody === CUSTODY.participants && hasEpochLeft(phase);
}

interface Turn {
  /** The freeze that it is for: any other membership version is another one. */
  readonly membershipVersion: number;
  readonly failures: number;
  readonly timer: Timer;
}

export interface StewardConfig {
  readonly records: Pick<Records, 'rotateEpoch'>;
  readonly access: {
    system(): SystemState;
    phase(id: PhaseId): PhaseState | null;
    phases(): readonly PhaseState[];
  };
  readonly member: MemberId;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Opens the next epoch of phases that are frozen, by itself: after a revocation, or a removal by an owner who holds no keys.
 * Several stewards take turns; two that act at once do no harm, since the ledger takes one change of a membership version.
 */
export class Steward {
  private readonly turns = new Map<PhaseId, Turn>();
  private running = false;

  constructor(private readonly config: StewardConfig) {}

  start(): void {
    this.running = true;
    this.review();
  }

  stop(): void {
    this.running = false;
    for (const { timer } of this.turns.values()) timer.cancel();
    this.turns.clear();
  }

  /** To be called when a log has changed. */
  review(): void {
    if (!this.running) return;
    const { access, member } = this.config;
    const system = access.system();
    if (!isActive(system, member) || isSuspended(system, member)) return;
    for (const phase of access.phases()) {
      const place = awaitsRotation(phase) ? rotatorsOf(system, phase).indexOf(member) : -1;
      const known = this.turns.get(phase.id);
      if (known !== undefined && (place < 0 || known.membershipVersion !== phase.membershipVersion)) {
        known.timer.cancel();
        this.turns.delete(phase.id);
      }
      if (place >= 0 && !this.turns.has(phase.id)) this.wait(phase, 0, place * TURN_MS);
    }
  }

  private wait({ id, membershipVersion }: PhaseState, failures: number, delayMs: number): void {
    const timer = this.config.clock.setTimer(delayMs, () => void this.rotate(id));
    this.turns.set(id, { membershipVersion, failures, timer });
  }

  private async rotate(id: PhaseId): Promise<void> {
    const { access, logger } = this.config;
    const turn = this.turns.get(id);
    const phase = access.phase(id);
    if (!this.running || turn === undefined || phase === null) return;
    const { membershipVersion, failures } = turn;
    if (!awaitsRotation(phase) || phase.membershipVersion !== membershipVersion) return;
    const detail = await this.attempt(id);
    if (detail === null) {
      logger.info({ phase: id, membershipVersion }, 'opened a new key epoch of a frozen phase');
      return;
    }
    logger.warn({ phase: id, detail }, 'could not open a new key epoch of a frozen phase');
    // meanwhile it may have been stopped, or another steward was first
    if (this.turns.get(id) !== turn) return;
    this.wait(phase, failures + 1, Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** failures));
  }

  /** @returns null when it is done, otherwise what was in the way */
  private async attempt(id: PhaseId): Promise<string | null> {
    try {
      const done = await this.config.records.rotateEpoch(id);
      return isReject(done) ? done.detail : null;
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      return error.message;
    }
  }
}
