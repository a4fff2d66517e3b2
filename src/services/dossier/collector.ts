import type { Hash, LogId, Suite } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { headerHash } from '../../core/codec/chain.ts';
import type { ScopeRef } from '../../core/codec/state.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import type { Dossier, DossierFile, DossierLog, Opening } from '../../core/light/dossier.ts';
import { advanceTrust, genesisTrust, type SetChange, type Trust } from '../../core/light/trust.ts';
import { EMPTY_FRONTIER, type Frontier, frontierRoot } from '../../core/merkle/log.ts';
import type { CertifiedHeader, Header, ValidatorSet } from '../../core/types/chain.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LogAnswer, LogPart, LogsAnswer } from '../../wire/light-answer.ts';
import type { LightClient } from '../light-client/light-client.ts';

/** Where the proofs of a dossier start: what a verifier makes from the genesis file. */
export interface DossierAnchor {
  readonly genesisHeader: Header;
  readonly genesisSet: ValidatorSet;
}

/** The chain moves while a dossier is made: so often the answer may be of a head that is not held yet. */
const TRIES_MAX = 50;
const WAIT_MS = 100;

/** What was held of a log when a source was asked for it. */
interface Asked {
  readonly logId: LogId;
  readonly frontier: Frontier;
  readonly known: { readonly digest: Hash; readonly state: Uint8Array } | null;
}

interface HeldPart {
  readonly ref: ScopeRef;
  readonly logId: LogId;
  readonly part: LogPart;
}

/** Fetches what a dossier needs beyond what a light client keeps: set changes, and map proofs under one head. */
export class DossierCollector {
  constructor(
    private readonly suite: Suite,
    private readonly light: LightClient,
    private readonly clock: Clock,
    private readonly anchor: DossierAnchor,
  ) {}

  /** @param refs scopes whose logs go in; the system log goes in by itself */
  async collect(
    refs: readonly ScopeRef[],
    openings: readonly Opening[],
    files: readonly DossierFile[],
  ): Promise<Dossier | Reject> {
    const all: ScopeRef[] = [{ scope: 'system', id: this.light.chainId }, ...refs];
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const answer = await this.logsAtHead(all);
      if (isReject(answer)) return answer;
      if (answer === null) {
        await new Promise<void>(resolve => this.clock.setTimer(WAIT_MS, resolve));
        continue;
      }
      const { head, parts } = answer;
      const setChanges = await this.setChanges(head);
      if (isReject(setChanges)) return setChanges;
      const logs: DossierLog[] = [];
      for (const part of parts) {
        const log = this.dossierLog(part);
        if (isReject(log)) return log;
        logs.push(log);
      }
      const genesisHash = headerHash(this.suite.sha256, this.anchor.genesisHeader);
      const { chainId } = this.light;
      const inside = ({ logId, position }: { readonly logId: LogId; readonly position: number }) =>
        logs.some(({ update }) => update.logId === logId && position >= update.from);
      const shown = { openings: openings.filter(inside), files: files.filter(inside) };
      return { chainId, genesisHash, setChanges, head, logs, ...shown };
    }
    return reject('not_ready', 'the chain moves faster than this node follows it; try again', 'ignore');
  }

  /** Null while the answer's head is one that this node does not hold yet. */
  private async logsAtHead(
    refs: readonly ScopeRef[],
  ): Promise<{ head: CertifiedHeader; parts: HeldPart[] } | null | Reject> {
    const asked = refs.map(ref => {
      const logId = logIdOf(this.suite.sha256, this.light.chainId, ref.scope, ref.id);
      return { ref, logId, frontier: this.light.frontierOf(logId), known: this.light.stateOf(logId) };
    });
    const answer = await this.ask(asked);
    if (isReject(answer)) return answer;
    const head = answer.certified;
    if (head === null) return reject('not_ready', 'there is no certified head yet', 'ignore');
    const parts: HeldPart[] = [];
    for (const [index, log] of asked.entries()) {
      const { ref, logId } = log;
      const part = this.partOf(log, answer.logs[index]);
      if (part === null) {
        return reject(
          'not_readable',
          `the log of ${ref.scope} ${ref.id.slice(0, 12)} is not served`,
          'ignore',
        );
      }
      // The system log has no leaf while all members are those of genesis.
      const { size } = this.light.frontierOf(logId);
      const behind = part.entry.size > size && this.light.held(logId)?.ended !== true;
      if (behind || part.from !== size) return null;
      parts.push({ ref, logId, part });
    }
    return { head, parts };
  }

  /** What a source says of a log; where nothing has changed it sends a proof only, of what is held here. */
  private partOf({ logId, frontier, known }: Asked, answer: LogAnswer | undefined): LogPart | null {
    if (answer?.logId !== logId) return null;
    if (answer.kind === 'part') return answer.part;
    if (answer.kind !== 'unchanged' || known === null) return null;
    const { digest, state } = known;
    const entry = { size: frontier.size, root: frontierRoot(this.suite.sha256, frontier), digest };
    const rest = { items: [], consistency: [], ended: false };
    return { entry, mapProof: answer.mapProof, state, from: frontier.size, frontier, ...rest };
  }

  private async ask(asked: readonly Asked[]): Promise<LogsAnswer | Reject> {
    // Without the states the answer has room for all logs, under one head.
    const logs = asked.map(({ logId, known }) => {
      const held = this.light.held(logId)?.ranges ?? [];
      return { logId, held, digest: known?.digest ?? null, ended: false };
    });
    const answer = await this.light.askAny({
      kind: 'logs',
      knownHeight: 0,
      scopesFrom: Number.MAX_SAFE_INTEGER,
      logs,
    });
    if (isReject(answer)) return answer;
    return answer.kind === 'logs' ? answer : reject('wrong_answer', answer.kind);
  }

  /** Every set change up to the head, each verified under the set before it. */
  private async setChanges(head: CertifiedHeader): Promise<SetChange[] | Reject> {
    const changes: SetChange[] = [];
    const { genesisHeader, genesisSet } = this.anchor;
    let trust: Trust | Reject = genesisTrust(this.suite, genesisHeader, genesisSet);
    while (!isReject(trust)) {
      const next = advanceTrust(this.suite, trust, { setChanges: [], head });
      if (!isReject(next)) return changes;
      const answer = await this.light.askAny({ kind: 'head', knownHeight: trust.header.height });
      if (isReject(answer)) return answer;
      if (answer.kind !== 'head' || answer.changes.length === 0) return next;
      const fitting = answer.changes.filter(({ certified }) => certified.header.height <= head.header.height);
      const last = fitting.at(-1);
      if (last === undefined) return next;
      changes.push(...fitting);
      trust = advanceTrust(this.suite, trust, { setChanges: fitting, head: last.certified });
    }
    return trust;
  }

  /** The last range that is held: of a member that was added again, its present stay. */
  private dossierLog({ ref, logId, part }: HeldPart): DossierLog | Reject {
    const start = this.light.rangesOf(logId).at(-1)?.start ?? EMPTY_FRONTIER;
    const items = [];
    // The part says where the log stood when it was asked for: it may have gone on since.
    for (let position = start.size; position < part.from; position += 1) {
      const item = this.light.rawItem(logId, position);
      if (item === null) return reject('not_ready', `leaf ${position} of log ${logId} is not held`, 'ignore');
      items.push(item);
    }
    const { entry, mapProof, state, consistency } = part;
    const update = { logId, entry, mapProof, state, from: start.size, frontier: start, items };
    return { ...ref, update, consistency: part.from === entry.size ? null : consistency };
  }
}
