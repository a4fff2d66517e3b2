import type { Hash, LogId, Sha256 } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { mapKeyOf } from '../../core/codec/state.ts';
import type { MapProof } from '../../core/merkle/map.ts';
import { followStep, type MapView, mergeViews, viewOfProof } from '../../core/merkle/map-view.ts';
import type { Header } from '../../core/types/chain.ts';
import { LIGHT_WIRE_LIMITS, type QuietLogs } from '../../wire/light.ts';

/** Logs that are complete at one height, each with its key in the map; the view has the keys of `held`. */
interface Kept {
  readonly height: number;
  readonly view: MapView | null;
  readonly held: ReadonlyMap<LogId, Hash>;
  /** They end with this member's removal: nothing of the map is kept of them. */
  readonly ended: ReadonlyMap<LogId, Hash>;
}

/** What one question names as quiet. */
export interface QuietAsked {
  readonly query: QuietLogs | null;
  readonly logs: ReadonlySet<LogId>;
}

/** The quiet logs of one answer that did not change, and where that is shown. */
export interface Followed {
  readonly view: MapView | null;
  readonly logs: readonly LogId[];
}

const NOTHING: Kept = { height: 0, view: null, held: new Map(), ended: new Map() };
export const NO_QUESTION: QuietAsked = { query: null, logs: new Set() };

/**
 * Which logs are complete at the last head, and the view of its map: so a new head costs what has changed for this member, not a
 * proof for each of its logs. In memory only: after a restart each log is asked for once.
 */
export class QuietView {
  private kept = NOTHING;

  constructor(
    private readonly sha256: Sha256,
    private readonly systemLogId: LogId,
  ) {}

  /**
   * @param told logs of the scopes that the source has named, in its order
   * @param isUseless logs that this source is not asked for
   */
  asking(told: readonly LogId[], isUseless: (logId: LogId) => boolean): QuietAsked {
    const { height, view, held, ended } = this.kept;
    if (view === null) return NO_QUESTION;
    const known = [this.systemLogId, ...told].slice(0, LIGHT_WIRE_LIMITS.quietBytes * 8);
    const logs = new Set<LogId>();
    const bitsOf = (wanted: ReadonlyMap<LogId, Hash>) => {
      const bits = new Uint8Array(Math.ceil(known.length / 8));
      for (const [bit, logId] of known.entries()) {
        if (!wanted.has(logId) || isUseless(logId)) continue;
        bits[bit >> 3]! |= 0x80 >> (bit & 7);
        logs.add(logId);
      }
      return bits;
    };
    return { query: { height, held: bitsOf(held), ended: bitsOf(ended) }, logs };
  }

  /** Of what was asked, all but those that the answer brings by themselves: they are as they were, in this header's map. */
  follow(
    header: Header,
    asked: QuietAsked,
    woken: ReadonlySet<LogId>,
    step: Uint8Array | null,
  ): Followed | Reject {
    const { view, held } = this.kept;
    if (asked.query === null || step === null || view === null) {
      return woken.size === 0
        ? { view: null, logs: [] }
        : reject('wrong_answer', 'logs that were not asked for');
    }
    for (const logId of woken) if (!asked.logs.has(logId)) return reject('wrong_answer', `log ${logId}`);
    const logs = [...asked.logs].filter(logId => !woken.has(logId));
    const keys = logs.flatMap(logId => held.get(logId) ?? []).sort();
    const next = followStep(this.sha256, view, keys, step);
    if (isReject(next)) return next;
    if (next.hash === header.mapRoot) return { view: next, logs };
    return reject('bad_map_proof', `quiet logs at height ${header.height}`);
  }

  /** @param complete logs that the answer's own proofs show complete; of those that have ended there is none */
  settle(
    header: Header,
    followed: Followed,
    complete: readonly { readonly logId: LogId; readonly mapProof: MapProof | null }[],
  ): void {
    let { view } = followed;
    const held = new Map<LogId, Hash>();
    const ended = new Map<LogId, Hash>();
    const before = this.kept;
    for (const logId of followed.logs) {
      const key = before.held.get(logId);
      if (key === undefined) ended.set(logId, before.ended.get(logId)!);
      else held.set(logId, key);
    }
    for (const { logId, mapProof } of complete) {
      const key = mapKeyOf(this.sha256, logId);
      if (mapProof === null) {
        ended.set(logId, key);
        continue;
      }
      held.set(logId, key);
      const shown = viewOfProof(this.sha256, key, mapProof);
      view = view === null ? shown : mergeViews(view, shown);
    }
    this.kept = view === null ? NOTHING : { height: header.height, view, held, ended };
  }
}
