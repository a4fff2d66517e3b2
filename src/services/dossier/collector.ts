import type { LogId, Suite } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { headerHash } from '../../core/codec/chain.ts';
import type { ScopeRef } from '../../core/codec/state.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import type { Dossier, DossierFile, DossierLog, Opening } from '../../core/light/dossier.ts';
import { advanceTrust, genesisTrust, type SetChange, type Trust } from '../../core/light/trust.ts';
import { EMPTY_FRONTIER } from '../../core/merkle/log.ts';
import type { CertifiedHeader, Header, ValidatorSet } from '../../core/types/chain.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LogPart, LogsAnswer } from '../../wire/light-answer.ts';
import type { LightClient } from '../light-client/light-client.ts';

/** Where the proofs of a dossier start: what a verifier makes from the genesis file. */
export interface DossierAnchor {
  readonly genesisHeader: Header;
  readonly genesisSet: ValidatorSet;
}

/** The chain moves while a dossier is made: so often the answer may be of a head that is not held yet. */
const TRIES_MAX = 50;
const WAIT_MS = 100;

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
        const log = await this.dossierLog(part);
        if (isReject(log)) return log;
        logs.push(log);
      }
      const genesisHash = headerHash(this.suite.sha256, this.anchor.genesisHeader);
      return { chainId: this.light.chainId, genesisHash, setChanges, head, logs, openings, files };
    }
    return reject('not_ready', 'the chain moves faster than this node follows it; try again', 'ignore');
  }

  /** Null while the answer's head is one that this node does not hold yet. */
  private async logsAtHead(
    refs: readonly ScopeRef[],
  ): Promise<{ head: CertifiedHeader; parts: HeldPart[] } | null | Reject> {
    const asked = refs.map(ref => ({
      ref,
      logId: logIdOf(this.suite.sha256, this.light.chainId, ref.scope, ref.id),
    }));
    const answer = await this.ask(
      asked.map(({ logId }) => ({ logId, from: this.light.held(logId)?.to ?? 0 })),
    );
    if (isReject(answer)) return answer;
    const head = answer.certified;
    if (head === null) return reject('not_ready', 'there is no certified head yet', 'ignore');
    const parts: HeldPart[] = [];
    for (const [index, { ref, logId }] of asked.entries()) {
      const found = answer.logs[index];
      if (found?.kind !== 'part' || found.logId !== logId) {
        return reject(
          'not_readable',
          `the log of ${ref.scope} ${ref.id.slice(0, 12)} is not served`,
          'ignore',
        );
      }
      const held = this.light.held(logId);
      const behind = found.part.entry.size > (held?.to ?? 0) && held?.ended !== true;
      if (behind || held === null || found.part.from !== held.to) return null;
      parts.push({ ref, logId, part: found.part });
    }
    return { head, parts };
  }

  private async ask(logs: readonly { logId: LogId; from: number }[]): Promise<LogsAnswer | Reject> {
    const queries = logs.map(log => ({ ...log, digest: null, ended: false }));
    const answer = await this.light.askAny({
      kind: 'logs',
      knownHeight: 0,
      scopesFrom: Number.MAX_SAFE_INTEGER,
      logs: queries,
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

  private async dossierLog({ ref, logId, part }: HeldPart): Promise<DossierLog | Reject> {
    const held = this.light.held(logId);
    if (held === null) return reject('not_ready', `log ${logId} is not held`, 'ignore');
    const items = [];
    for (let position = held.from; position < held.to; position += 1) {
      const item = this.light.rawItem(logId, position);
      if (item === null) return reject('not_ready', `leaf ${position} of log ${logId} is not held`, 'ignore');
      items.push(item);
    }
    const frontier = held.from === 0 ? EMPTY_FRONTIER : await this.frontierAt(logId, held.from);
    if (isReject(frontier)) return frontier;
    const { entry, mapProof, state, consistency } = part;
    const update = { logId, entry, mapProof, state, from: held.from, frontier, items };
    return { ...ref, update, consistency: held.to === entry.size ? null : consistency };
  }

  /** A source sends the frontier where its answer starts at the first leaf that this member may read. */
  private async frontierAt(logId: LogId, size: number) {
    const answer = await this.ask([{ logId, from: 0 }]);
    if (isReject(answer)) return answer;
    const [found] = answer.logs;
    if (found?.kind !== 'part' || found.part.from !== size)
      return reject('not_readable', `log ${logId}`, 'ignore');
    return found.part.frontier;
  }
}
