import type { Hash, LogId, Suite } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { decodeSystemState, type ScopeRef, scopeDigest } from '../../core/codec/state.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import type { Dossier, DossierLog, ProvenEntry } from '../../core/light/dossier.ts';
import { openLogs, provenMembers } from '../../core/light/prove.ts';
import { advanceTrust, genesisTrust, type SetChange, type Trust } from '../../core/light/trust.ts';
import { EMPTY_FRONTIER, type Frontier, frontierRoot } from '../../core/merkle/log.ts';
import type { MapProof } from '../../core/merkle/map.ts';
import { EMPTY_OPENING } from '../../core/merkle/map-opening.ts';
import type { CertifiedHeader, Header, ValidatorSet } from '../../core/types/chain.ts';
import type { Span } from '../../core/types/span.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LogAnswer, LogPart, LogsAnswer } from '../../wire/light-answer.ts';
import type { LightClient } from '../light-client/light-client.ts';
import { SubtreeCache } from '../light-server/subtree-cache.ts';
import { dossierItem, type RecordParts, signersOf } from './lean.ts';
import { LogTree } from './log-tree.ts';

/** Where the proofs of a dossier start: what a verifier makes from the genesis file. */
export interface CollectorAnchor {
  readonly genesisHeader: Header;
  readonly genesisSet: ValidatorSet;
}

/** The chain moves while a dossier is made: so often the answer may be of a head that is not held yet. */
const TRIES_MAX = 50;
const WAIT_MS = 100;
/** Roots of subtrees that are remembered, for proofs of logs that were proven before. */
const SUBTREES_KEPT_MAX = 65_536;

/** What of a log goes into a dossier. */
export interface LogWish extends ScopeRef {
  /** The leaves, of those that are held in [from, to). */
  readonly span: (held: Span) => Span;
  readonly parts: RecordParts;
  readonly state: boolean;
}

/** Every leaf that is held, whole. */
export const WHOLE_LOG = { span: (held: Span) => held, parts: 'all', state: true } as const;

/** What was proven of what was asked for; the caller adds what it shows of it. */
export interface Collected {
  readonly content: Pick<Dossier, 'setChanges' | 'head' | 'map' | 'members' | 'logs'>;
  /** For proofs of more than the dossier has, under the same head: the logs, and what the map says of each. */
  readonly trees: ReadonlyMap<LogId, LogTree>;
  readonly entries: ReadonlyMap<LogId, ProvenEntry>;
}

/** What was held of a log when a source was asked for it. */
interface Asked {
  readonly logId: LogId;
  readonly frontier: Frontier;
  readonly known: { readonly digest: Hash; readonly state: Uint8Array } | null;
}

interface HeldPart {
  readonly logId: LogId;
  readonly part: LogPart;
}

/** Fetches what a dossier needs beyond what a light client keeps: set changes, and map proofs under one head. */
export class DossierCollector {
  private readonly memory = new SubtreeCache(SUBTREES_KEPT_MAX);

  constructor(
    private readonly suite: Suite,
    private readonly light: LightClient,
    private readonly clock: Clock,
    private readonly anchor: CollectorAnchor,
  ) {}

  /** @param members whose keys go in besides those of all who signed what is shown */
  async collect(wishes: readonly LogWish[], members: readonly string[] = []): Promise<Collected | Reject> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const found = await this.tryOnce(wishes, members);
      if (found !== null) return found;
      await new Promise<void>(resolve => this.clock.setTimer(WAIT_MS, resolve));
    }
    return reject('not_ready', 'the chain moves faster than this node follows it; try again', 'ignore');
  }

  /** Null while the answer's head is one that this node does not hold yet. */
  private async tryOnce(
    wishes: readonly LogWish[],
    members: readonly string[],
  ): Promise<Collected | null | Reject> {
    const { chainId } = this.light;
    const answer = await this.logsAtHead([{ scope: 'system', id: chainId }, ...wishes]);
    if (isReject(answer) || answer === null) return answer;
    const { head, parts } = answer;
    const [system, ...rest] = parts;
    const setChanges = await this.setChanges(head);
    if (isReject(setChanges)) return setChanges;
    const trees = new Map<LogId, LogTree>();
    const logs = rest.map((part, index) => this.dossierLog(wishes[index]!, part, trees));
    const signers = logs.flatMap(({ items }) => items.flatMap(signersOf));
    const proven = this.members(system!, new Set([...members, ...signers]));
    if (proven === null) return null;
    const entries = new Map(
      parts.map(({ logId, part }) => [logId, { entry: part.entry, siblings: part.mapProof.siblings }]),
    );
    const map = openLogs(this.suite.sha256, entries);
    return { content: { setChanges, head, map, members: proven, logs }, trees, entries };
  }

  /** Null while the answer is not the state that is held. */
  private members({ logId, part }: HeldPart, wanted: ReadonlySet<string>): Dossier['members'] | null {
    const bytes = part.state ?? this.light.stateOf(logId)?.state ?? null;
    if (bytes === null || scopeDigest(this.suite.sha256, bytes) !== part.entry.digest) return null;
    const state = decodeSystemState(bytes);
    if (isReject(state)) return null;
    return provenMembers(this.suite.sha256, state, wanted, part.entry);
  }

  /** That the map has no such log, under the head of a dossier without logs. */
  async absence(
    ref: ScopeRef,
  ): Promise<(Pick<Collected, 'content'> & { readonly proof: MapProof }) | Reject> {
    const logId = logIdOf(this.suite.sha256, this.light.chainId, ref.scope, ref.id);
    const answer = await this.ask([{ logId, known: null }]);
    if (isReject(answer)) return answer;
    const { certified: head, logs } = answer;
    const [log] = logs;
    const proof = log?.kind === 'refused' ? log.absence : undefined;
    if (proof === undefined)
      return reject('conflict', `there is a ${ref.scope} ${ref.id.slice(0, 12)}`, 'ignore');
    if (head === null) return reject('not_ready', 'there is no certified head yet', 'ignore');
    const setChanges = await this.setChanges(head);
    if (isReject(setChanges)) return setChanges;
    return { content: { setChanges, head, map: EMPTY_OPENING, members: null, logs: [] }, proof };
  }

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
      parts.push({ logId, part });
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

  private async ask(asked: readonly Pick<Asked, 'logId' | 'known'>[]): Promise<LogsAnswer | Reject> {
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
      const answer = await this.light.askAny({
        kind: 'head',
        knownHeight: trust.header.height,
        knownHash: null,
      });
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

  /** Of the last range that is held: of a member that was added again, its present stay. */
  private dossierLog(wish: LogWish, { logId, part }: HeldPart, trees: Map<LogId, LogTree>): DossierLog {
    const start = this.light.rangesOf(logId).at(-1)?.start ?? EMPTY_FRONTIER;
    const { entry, from: end, consistency } = part;
    const { size, digest } = entry;
    // The part says where the log stood when it was asked for: it may have gone on since.
    const held = { logId, start, end, size, path: end === size ? [] : consistency };
    const tree = new LogTree(this.suite.sha256, this.light, held, this.memory.of(logId));
    trees.set(logId, tree);
    const asked = wish.span({ from: start.size, to: end });
    const from = Math.min(Math.max(asked.from, start.size), end);
    const to = Math.max(Math.min(asked.to, end), from);
    const items = [];
    for (let position = from; position < to; position += 1) {
      const raw = this.light.rawItem(logId, position);
      if (raw !== null) items.push(dossierItem(raw, wish.parts));
    }
    const state = wish.state ? (part.state ?? this.light.stateOf(logId)?.state ?? null) : null;
    return {
      ...{ scope: wish.scope, id: wish.id, size, digest, items },
      state: state !== null && scopeDigest(this.suite.sha256, state) === digest ? state : null,
      frontier: tree.frontier(from),
      right: tree.right(to),
    };
  }
}
