import { partakersOf } from '../../core/access/standing.ts';
import type { LogId, MemberId } from '../../core/base/ids.ts';
import { STATE_KEYS } from '../../core/codec/state.ts';
import { readLogScope, readPhase, readProject } from '../../core/ledger/read.ts';
import type { Diff, StateView } from '../../core/types/state.ts';
import type { Clock, Timer } from '../../ports/clock.ts';

/** A member's node that is connected, by what it takes to tell it. */
export interface Guest {
  readonly member: MemberId;
  tell(): void;
}

const LOG_PREFIX = STATE_KEYS.log('' as LogId);

/**
 * Whose logs a block has changed, those just removed from a phase among them.
 * @param state after the block
 * @returns null where that is everybody: the system log has changed
 */
export function touchedMembers(state: StateView, diff: Diff): ReadonlySet<MemberId> | null {
  const members = new Set<MemberId>();
  for (const key of diff.state.keys()) {
    if (!key.startsWith(LOG_PREFIX)) continue;
    const ref = readLogScope(state, key.slice(LOG_PREFIX.length) as LogId);
    if (ref === null || ref.scope === 'system') return null;
    const scope = ref.scope === 'project' ? readProject(state, ref.id) : readPhase(state, ref.id);
    if (scope === null) return null;
    members.add(scope.owner);
    if (!('participants' in scope)) continue;
    for (const member of partakersOf(scope)) members.add(member);
    if (diff.state.has(STATE_KEYS.phase(scope.id)))
      for (const { member } of scope.former) members.add(member);
  }
  return members;
}

/** When guests are told of new heads: at once where a block has changed their logs, from time to time where none has. */
export class Notices {
  private readonly touched = new Set<MemberId>();
  private everybody = false;
  /** Runs for `noticeIntervalMs` after each notice. */
  private pause: Timer | null = null;
  /** Runs while somebody has not been told of the head. */
  private idle: Timer | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly limits: { readonly noticeIntervalMs: number; readonly idleNoticeMs: number },
    private readonly guests: () => Iterable<Guest>,
  ) {}

  /** @param members whose logs have changed; null for everybody */
  committed(members: ReadonlySet<MemberId> | null): void {
    if (members === null) this.everybody = true;
    else for (const member of members) this.touched.add(member);
    this.idle ??= this.clock.setTimer(this.limits.idleNoticeMs, () => {
      this.everybody = true;
      this.flush();
    });
    this.flush();
  }

  stop(): void {
    this.pause?.cancel();
    this.idle?.cancel();
    this.pause = null;
    this.idle = null;
    this.everybody = false;
    this.touched.clear();
  }

  private flush(): void {
    if (this.pause !== null || (!this.everybody && this.touched.size === 0)) return;
    for (const guest of this.guests()) {
      if (this.everybody || this.touched.has(guest.member)) guest.tell();
    }
    if (this.everybody) {
      this.idle?.cancel();
      this.idle = null;
    }
    this.everybody = false;
    this.touched.clear();
    this.pause = this.clock.setTimer(this.limits.noticeIntervalMs, () => {
      this.pause = null;
      this.flush();
    });
  }
}
