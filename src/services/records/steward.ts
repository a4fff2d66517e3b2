import { heldFrom, keyholders } from '../../core/access/epochs.ts';
import { isAble } from '../../core/access/standing.ts';
import type { MemberId, PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import type { PhaseState, SystemState } from '../../core/types/state.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Custody } from './custody.ts';
import { rotationReason, rotatorsOf } from './rotation.ts';

/** What each rotator before this one in the order is given to do it first. */
const TURN_MS = 5_000;
/** Pause after an attempt that failed; doubled with each, up to the second. */
const RETRY_MS = 2_000;
const RETRY_MS_MAX = 5 * 60_000;
/** Complaints that are answered at once. A further one waits, each twice as long as the one before, up to the second. */
const ANSWERS_AT_ONCE = 3;
const ANSWER_MS_MAX = 60 * 60_000;

type Deed = 'rotate' | 'complain';

/** Something that is due, and when. */
interface Task {
  /** What it is for: the same deed for something else is another task. */
  readonly cause: string;
  readonly delayMs: number;
  /** True where it answers a complaint. */
  readonly answers?: boolean;
}

/** Epochs that were opened because of complaints, and when the last was. */
interface Answers {
  readonly times: number;
  readonly atMs: number;
}

interface Turn {
  readonly cause: string;
  readonly failures: number;
  readonly timer: Timer;
}

export interface StewardConfig {
  readonly custody: Pick<Custody, 'rotateWhereDue' | 'complainWhereDue'>;
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
 * Does by itself what the keys of this member's phases ask for. Opens the next epoch where one is awaited: after a revocation, a
 * removal or addition by an owner who holds no keys, or a complaint. Several stewards take turns; two that act at once do no
 * harm, since the ledger takes one change of a membership version. Complains where an envelope for this member is no good.
 */
export class Steward {
  private readonly turns = new Map<string, Turn>();
  /** Epochs of each phase when it was last looked through for an envelope that is no good. */
  private readonly examined = new Map<PhaseId, number>();
  private readonly answers = new Map<PhaseId, Answers>();
  private running = false;

  constructor(private readonly config: StewardConfig) {}

  start(): void {
    this.running = true;
    // what was held before the start is looked through when its log is read
    for (const { id, epochs } of this.config.access.phases()) this.examined.set(id, epochs.length);
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
    if (!isAble(system, member)) return;
    for (const phase of access.phases()) {
      this.plan(phase, 'rotate', this.rotation(system, phase));
      this.plan(phase, 'complain', this.complaint(system, phase));
    }
  }

  private rotation(system: SystemState, phase: PhaseState): Task | null {
    const { member } = this.config;
    const gives = heldFrom(system, phase, member);
    const reason = gives === null ? null : rotationReason(system, phase, gives);
    const place = rotatorsOf(system, phase).indexOf(member);
    if (reason === null || place < 0) return null;
    const delayMs = place * TURN_MS + (reason === 'complaint' ? this.patienceMs(phase.id) : 0);
    const cause = `${phase.membershipVersion}/${phase.complaints.length}`;
    return { cause, delayMs, answers: reason === 'complaint' };
  }

  private answersTo(id: PhaseId): number {
    const { times, atMs } = this.answers.get(id) ?? { times: 0, atMs: 0 };
    return this.config.clock.monotonicMs() - atMs < 2 * ANSWER_MS_MAX ? times : 0;
  }

  /** One member is heeded a few times in a row; several who complain in turns must not have epochs opened for ever either. */
  private patienceMs(id: PhaseId): number {
    const further = this.answersTo(id) - ANSWERS_AT_ONCE;
    return further < 0 ? 0 : Math.min(ANSWER_MS_MAX, TURN_MS * 2 ** (further + 1));
  }

  private complaint(system: SystemState, phase: PhaseState): Task | null {
    const { id, epochs } = phase;
    const isNew = this.examined.get(id) !== epochs.length;
    this.examined.set(id, epochs.length);
    if (!isNew) return this.turns.has(`${id}/complain`) ? { cause: String(epochs.length), delayMs: 0 } : null;
    if (!keyholders(system, phase).has(this.config.member)) return null;
    return { cause: String(epochs.length), delayMs: 0 };
  }

  private plan({ id }: PhaseState, deed: Deed, task: Task | null): void {
    const key = `${id}/${deed}`;
    const known = this.turns.get(key);
    if (known !== undefined && known.cause !== task?.cause) {
      known.timer.cancel();
      this.turns.delete(key);
    }
    if (task !== null && !this.turns.has(key)) this.wait(id, deed, task.cause, 0, task.delayMs);
  }

  private wait(id: PhaseId, deed: Deed, cause: string, failures: number, delayMs: number): void {
    const timer = this.config.clock.setTimer(delayMs, () => void this.act(id, deed));
    this.turns.set(`${id}/${deed}`, { cause, failures, timer });
  }

  private async act(id: PhaseId, deed: Deed): Promise<void> {
    const { access, logger } = this.config;
    const turn = this.turns.get(`${id}/${deed}`);
    const phase = access.phase(id);
    if (!this.running || turn === undefined || phase === null) return;
    const task = deed === 'rotate' ? this.rotation(access.system(), phase) : null;
    if (deed === 'rotate' && task?.cause !== turn.cause) return;
    const detail = await this.attempt(id, deed);
    if (detail === null && task?.answers) {
      const times = this.answersTo(id) + 1;
      this.answers.set(id, { times, atMs: this.config.clock.monotonicMs() });
    }
    if (detail === null) return;
    logger.warn({ phase: id, deed, detail }, 'could not do what the keys of a phase ask for');
    // meanwhile it may have been stopped, or another steward was first
    if (this.turns.get(`${id}/${deed}`) !== turn) return;
    const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** turn.failures);
    this.wait(id, deed, turn.cause, turn.failures + 1, delayMs);
  }

  /** @returns null when it is done or not due any more, otherwise what was in the way */
  private async attempt(id: PhaseId, deed: Deed): Promise<string | null> {
    const { custody, logger } = this.config;
    try {
      const done = await (deed === 'rotate' ? custody.rotateWhereDue(id) : custody.complainWhereDue(id));
      if (done === null) return null;
      if (isReject(done)) return done.detail;
      const said = deed === 'rotate' ? 'opened a new key epoch' : 'complained about an envelope';
      logger.info({ phase: id, height: done.height }, said);
      return null;
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      return error.message;
    }
  }
}
