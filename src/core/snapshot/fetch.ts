import { assert, assertDefined } from '../base/assert.ts';
import {
  type BlockHash,
  type Hash,
  type LogId,
  type Suite,
  type TransactionId,
  ZERO_HASH,
} from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { headerHash } from '../codec/chain.ts';
import {
  decodeSystemState,
  encodeLogRow,
  mapKeyOf,
  mapValueOf,
  type ScopeRef,
  STATE_KEYS,
} from '../codec/state.ts';
import { logIdOf } from '../codec/transaction.ts';
import { encodeChainId } from '../ledger/read.ts';
import { createTransactionVerifier, type VerifyTransaction } from '../ledger/signature.ts';
import { checkCertificate } from '../light/certificate.ts';
import { EMPTY_FRONTIER, type Frontier, frontierRoot, sameFrontier } from '../merkle/log.ts';
import { mapUpdate } from '../merkle/map.ts';
import { verifyBlockEntries } from '../pbft/verify.ts';
import type { Block, Certificate, CertifiedHeader, ValidatorSet } from '../types/chain.ts';
import type { LogEntry, NewLeaf, SystemState } from '../types/state.ts';
import { checkLeaves, checkSystemBodies } from './check-leaves.ts';
import { checkScopes, type MapPlace } from './check-scopes.ts';
import {
  type CertifiedBlock,
  type LeavesPart,
  type LeavesSegment,
  type ScopesChunk,
  SNAPSHOT_LIMITS,
  type SnapshotChunk,
  type SnapshotRequest,
} from './chunks.ts';
import { MemberScopes, membersOf, scopeStateKey } from './member-scopes.ts';

/** What the receiver has already, verified when it came. */
export interface HeldPart {
  /** Leaves [0, size) of a log that are here; `size` is at most `sizeMax`. EMPTY_FRONTIER for none. */
  frontier(logId: LogId, sizeMax: number): Frontier;
  hasBlock(height: number): boolean;
  /** Lowest height whose block is here with all above it, up to the receiver's head. */
  readonly blocksFrom: number;
}

export interface SnapshotTarget {
  /** Verified: a certified header that follows from genesis. */
  readonly certified: CertifiedHeader;
  /** The set that decides heights above `fromHeight`, ascending: as many as the window of blocks reaches back. */
  readonly sets: readonly { readonly fromHeight: number; readonly set: ValidatorSet }[];
}

/** What an accepted chunk adds to the receiver's store; verified, and of no effect before the snapshot is installed. */
export interface SnapshotWrites {
  readonly state: ReadonlyMap<string, Uint8Array>;
  /** Runs of consecutive positions. */
  readonly leaves: readonly NewLeaf[];
  readonly blocks: readonly (CertifiedBlock & {
    readonly hash: BlockHash;
    /** The set that decided the block. */
    readonly set: ValidatorSet;
  })[];
  /** Transactions of the system log. */
  readonly bodies: readonly { readonly id: TransactionId; readonly bytes: Uint8Array }[];
}

/** The rest, once everything has come: what is derived and never taken from anybody. */
export interface SnapshotEnd {
  readonly certified: CertifiedHeader;
  readonly hash: BlockHash;
  readonly state: ReadonlyMap<string, Uint8Array>;
  readonly mapNodes: ReadonlyMap<Hash, Uint8Array>;
  readonly sizes: ReadonlyMap<LogId, number>;
  /** Lowest height whose block is here, with all above it up to the snapshot. */
  readonly blocksFrom: number;
}

interface Log {
  readonly ref: ScopeRef;
  readonly entry: LogEntry;
  /** What was held before, or EMPTY_FRONTIER. */
  held: Frontier;
  /** Of the whole log; null while its end has not come. */
  end: Frontier | null;
}

const NOTHING: SnapshotWrites = { state: new Map(), leaves: [], blocks: [], bodies: [] };
const SIGNATURES_REMEMBERED = 4096;

/**
 * One state transfer: says what to ask for, checks every answer on arrival, and gives what to store (SCENARIOS 50 to 54).
 * Knows no clock, peer or disk. Scopes come first, one page after the other, each from whoever is faster; leaves and blocks in any
 * order, several at a time.
 */
export class SnapshotFetch {
  private place: MapPlace | null = null;
  private listed = false;
  /** Questions under way for the page of scopes that is next. */
  private listers = 0;
  private readonly logs = new Map<LogId, Log>();
  private readonly members = new MemberScopes();
  private system: SystemState | null = null;
  private readonly open: SnapshotRequest[] = [];
  private asked = 0;
  private blocksFrom = 0;
  private readonly verify: VerifyTransaction;

  constructor(
    private readonly suite: Suite,
    readonly target: SnapshotTarget,
    private readonly held: HeldPart,
  ) {
    this.verify = createTransactionVerifier(suite, SIGNATURES_REMEMBERED);
  }

  get height(): number {
    return this.target.certified.header.height;
  }

  /** Everything has come and was accepted. */
  get complete(): boolean {
    return this.listed && this.open.length === 0 && this.asked === 0;
  }

  /** Scopes and items still to come are not known before the scopes are: this is for people. */
  get progress(): { readonly scopes: number; readonly requestsLeft: number } {
    return { scopes: this.logs.size, requestsLeft: this.open.length + this.asked };
  }

  /**
   * What to ask for next; null when everything is asked for. Each request ends with `accept` or `failed`.
   * @param listersMax how many may be asked for one page of scopes, this source among them; 0 for one that does not have this
   *     snapshot, but blocks and logs
   */
  next(listersMax = 1): SnapshotRequest | null {
    if (!this.listed && this.listers < listersMax) {
      this.listers += 1;
      this.asked += 1;
      return { kind: 'scopes', height: this.height, after: this.after };
    }
    const request = this.open.shift() ?? null;
    if (request !== null) this.asked += 1;
    return request;
  }

  private get after(): Hash | null {
    return this.place?.key ?? null;
  }

  /** Another source has given this page of scopes meanwhile. */
  isOvertaken(request: SnapshotRequest): boolean {
    return request.kind === 'scopes' && (this.listed || request.after !== this.after);
  }

  /** No answer, or one that was refused: it will be asked for again. */
  failed(request: SnapshotRequest): void {
    if (this.isOvertaken(request)) return;
    this.asked -= 1;
    if (request.kind === 'scopes') this.listers -= 1;
    else this.open.unshift(request);
  }

  /** @returns a Reject that blames the sender; the request is then still to be given to `failed` */
  accept(request: SnapshotRequest, chunk: SnapshotChunk): SnapshotWrites | Reject {
    if (this.isOvertaken(request)) return this.acceptRest(chunk);
    // nobody waits for the others who were asked for the same page
    const ended = request.kind === 'scopes' ? this.listers : 1;
    const writes = this.check(request, chunk);
    if (!isReject(writes)) this.asked -= ended;
    return writes;
  }

  /** A page that comes late may reach further: otherwise whoever is fast with one scope at a time makes all that others send void. */
  private acceptRest(chunk: SnapshotChunk): SnapshotWrites | Reject {
    if (this.listed || chunk.kind !== 'scopes') return NOTHING;
    const { sha256 } = this.suite;
    const { chainId } = this.target.certified.header;
    const after = assertDefined(this.after, 'a page was taken before');
    const scopes = chunk.scopes.filter(
      ({ ref }) => mapKeyOf(sha256, logIdOf(sha256, chainId, ref.scope, ref.id)) > after,
    );
    if (scopes.length === 0) return NOTHING;
    const ended = this.listers;
    const writes = this.acceptScopes({ ...chunk, scopes });
    if (!isReject(writes)) this.asked -= ended;
    return writes;
  }

  private check(request: SnapshotRequest, chunk: SnapshotChunk): SnapshotWrites | Reject {
    if (request.kind === 'scopes' && chunk.kind === 'scopes') return this.acceptScopes(chunk);
    if (request.kind === 'leaves' && chunk.kind === 'leaves') {
      return this.acceptLeaves(request.segments, chunk.parts);
    }
    if (request.kind === 'blocks' && chunk.kind === 'blocks') {
      return this.acceptBlocks(request.from, request.to, chunk.blocks);
    }
    return reject('wrong_answer', `${chunk.kind} to a question for ${request.kind}`);
  }

  private acceptScopes(chunk: ScopesChunk): SnapshotWrites | Reject {
    const { header } = this.target.certified;
    const place = checkScopes(this.suite.sha256, header, this.place, chunk);
    if (isReject(place)) return place;
    const state = new Map<string, Uint8Array>();
    const found: { ref: ScopeRef; entry: LogEntry; logId: LogId }[] = [];
    for (const { ref, entry, state: bytes } of chunk.scopes) {
      const members = membersOf(ref, bytes);
      const system = ref.scope === 'system' ? decodeSystemState(bytes) : null;
      // certified bytes decode: otherwise a quorum wrote what nobody can read
      assert(!isReject(members) && !isReject(system), 'a certified state decodes');
      if (system !== null) this.system = system;
      this.members.add(ref, members);
      state.set(scopeStateKey(ref), bytes);
      found.push({ ref, entry, logId: logIdOf(this.suite.sha256, header.chainId, ref.scope, ref.id) });
    }
    for (const { ref, entry, logId } of found) this.addLog(ref, entry, logId);
    this.place = place;
    this.listed = chunk.last;
    this.listers = 0;
    if (chunk.last) this.planRest();
    return { ...NOTHING, state };
  }

  private addLog(ref: ScopeRef, entry: LogEntry, logId: LogId): void {
    const held = this.held.frontier(logId, entry.size);
    const whole = held.size === entry.size && frontierRoot(this.suite.sha256, held) === entry.root;
    // as many leaves as the log has and another root: what is here is damaged, and comes anew
    const usable = whole || held.size < entry.size ? held : EMPTY_FRONTIER;
    this.logs.set(logId, { ref, entry, held: usable, end: whole ? held : null });
  }

  /** After the last scope: the leaves of every log and the blocks of the replay window. */
  private planRest(): void {
    let group: LeavesSegment[] = [];
    let leaves = 0;
    const flush = (): void => {
      if (group.length > 0) this.open.push({ kind: 'leaves', segments: group });
      group = [];
      leaves = 0;
    };
    for (const segment of this.segments()) {
      const count = segment.to - segment.from;
      if (
        group.length === SNAPSHOT_LIMITS.logsPerRequest ||
        leaves + count > SNAPSHOT_LIMITS.leavesPerSegment
      ) {
        flush();
      }
      group.push(segment);
      leaves += count;
    }
    flush();
    this.planBlocks();
  }

  private *segments(): Generator<LeavesSegment> {
    for (const [logId, { entry, held, end }] of this.logs) {
      if (end !== null) continue;
      const { size } = entry;
      for (let from = held.size; from < size; from += SNAPSHOT_LIMITS.leavesPerSegment) {
        yield { logId, from, to: Math.min(size, from + SNAPSHOT_LIMITS.leavesPerSegment), size };
      }
    }
  }

  /**
   * Ids that may not come again are those of the blocks within the window: their entries are certified. The window may have
   * grown since the receiver's head; what was before its own first block had expired by the window of that time.
   */
  private planBlocks(): void {
    assert(this.system !== null, 'a map has its system scope');
    this.blocksFrom = Math.max(this.held.blocksFrom, this.height - this.system.parameters.replayWindowBlocks);
    let from: number | null = null;
    for (let at = this.blocksFrom; at <= this.height + 1; at += 1) {
      const wanted = at <= this.height && !this.held.hasBlock(at);
      if (from !== null && (!wanted || at - from === SNAPSHOT_LIMITS.blocksPerRequest)) {
        this.open.push({ kind: 'blocks', from, to: at });
        from = null;
      }
      if (wanted) from ??= at;
    }
  }

  private acceptLeaves(
    segments: readonly LeavesSegment[],
    parts: readonly LeavesPart[],
  ): SnapshotWrites | Reject {
    if (parts.length === 0 || parts.length > segments.length)
      return reject('wrong_answer', `${parts.length} logs`);
    const leaves: NewLeaf[] = [];
    const bodies: { id: TransactionId; bytes: Uint8Array }[] = [];
    const ends: (readonly [Log, Frontier])[] = [];
    for (const [index, part] of parts.entries()) {
      const segment = segments[index]!;
      const log = this.logs.get(segment.logId);
      assert(log !== undefined, 'a segment is of a known log');
      const checked = checkLeaves(this.suite.sha256, segment, log.entry.root, part);
      if (isReject(checked)) return checked;
      const isSystem = log.ref.scope === 'system';
      assert(this.system !== null, 'leaves are asked for after the scopes');
      const fault = isSystem
        ? checkSystemBodies(this.suite, this.system, part, checked.leaves, this.verify)
        : null;
      if (fault !== null) return fault;
      if (!isSystem && part.transactions.length > 0)
        return reject('wrong_answer', 'transactions not asked for');
      leaves.push(...checked.leaves);
      if (isSystem) {
        bodies.push(
          ...checked.leaves.map(({ transactionId: id }, at) => ({ id, bytes: part.transactions[at]! })),
        );
      }
      ends.push([log, checked.end]);
      if (segment.from === log.held.size && !sameFrontier(log.held, part.frontier))
        this.distrust(segment, log);
    }
    for (const [log, end] of ends) if (end.size === log.entry.size) log.end = end;
    this.askRest(segments, ends);
    return { ...NOTHING, leaves, bodies };
  }

  /** What was held is not what the chain says: it comes anew. */
  private distrust({ logId, size }: LeavesSegment, log: Log): void {
    const { leavesPerSegment } = SNAPSHOT_LIMITS;
    for (let from = 0; from < log.held.size; from += leavesPerSegment) {
      const to = Math.min(log.held.size, from + leavesPerSegment);
      this.open.push({ kind: 'leaves', segments: [{ logId, from, to, size }] });
    }
    log.held = EMPTY_FRONTIER;
  }

  private askRest(segments: readonly LeavesSegment[], ends: readonly (readonly [Log, Frontier])[]): void {
    const rest = segments.flatMap((segment, index) => {
      const reached = ends[index]?.[1].size ?? segment.from;
      return reached < segment.to ? [{ ...segment, from: reached }] : [];
    });
    if (rest.length > 0) this.open.unshift({ kind: 'leaves', segments: rest });
  }

  private acceptBlocks(from: number, to: number, blocks: readonly CertifiedBlock[]): SnapshotWrites | Reject {
    if (blocks.length === 0 || blocks.length > to - from)
      return reject('wrong_answer', `${blocks.length} blocks`);
    const { suite } = this;
    const checked: SnapshotWrites['blocks'][number][] = [];
    for (const [index, { block, certificate }] of blocks.entries()) {
      const fault = this.checkBlock(from + index, block, certificate);
      if (fault !== null) return fault;
      const hash = headerHash(suite.sha256, block.header);
      checked.push({ block, certificate, hash, set: this.setAt(from + index) });
    }
    const reached = from + blocks.length;
    if (reached < to) this.open.unshift({ kind: 'blocks', from: reached, to });
    return { ...NOTHING, blocks: checked };
  }

  private checkBlock(height: number, block: Block, certificate: Certificate): Reject | null {
    const { header } = block;
    if (header.height !== height)
      return reject('wrong_height', `block ${header.height}, asked for ${height}`);
    if (!verifyBlockEntries(this.suite, block)) return reject('wrong_entries', `height ${height}`);
    const { chainId } = this.target.certified.header;
    return checkCertificate(this.suite, chainId, { header, certificate }, this.setAt(height));
  }

  private setAt(height: number): ValidatorSet {
    const reign = this.target.sets.findLast(({ fromHeight }) => fromHeight < height);
    assert(reign !== undefined, 'the sets reach back to the window');
    return reign.set;
  }

  /** Once `complete`: derives the indexes and builds the map, whose root must be the certified one. */
  finish(): SnapshotEnd | Reject {
    assert(this.complete, 'everything has come');
    const { sha256 } = this.suite;
    const { certified } = this.target;
    const state = this.members.entries();
    state.set(STATE_KEYS.chain, encodeChainId(certified.header.chainId));
    const entries = new Map<Hash, Hash>();
    const sizes = new Map<LogId, number>();
    for (const [logId, { ref, entry, end }] of this.logs) {
      assert(end !== null, 'every log has come to its end');
      state.set(STATE_KEYS.log(logId), encodeLogRow({ ...ref, ...entry, frontier: end }));
      entries.set(mapKeyOf(sha256, logId), mapValueOf(sha256, entry));
      sizes.set(logId, entry.size);
    }
    const map = mapUpdate(sha256, () => null, ZERO_HASH, entries);
    if (map.root !== certified.header.mapRoot) return reject('incomplete', 'the map has another root');
    const hash = headerHash(sha256, certified.header);
    return { certified, hash, state, mapNodes: map.added, sizes, blocksFrom: this.blocksFrom };
  }
}
