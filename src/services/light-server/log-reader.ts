import { isSuspended } from '../../core/access/standing.ts';
import { activeRanges, firstMissing } from '../../core/access/visibility.ts';
import { assert, assertDefined } from '../../core/base/assert.ts';
import type { Hash, LogId, MemberId, Suite } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { type LogRow, mapKeyOf, mapValueOf, type ScopeRef } from '../../core/codec/state.ts';
import {
  decodeBody,
  decodeLeaf,
  decodeSignedTransaction,
  encodeSignedTransaction,
} from '../../core/codec/transaction.ts';
import {
  readLog,
  readLogScope,
  readMemberScope,
  readMemberScopeCount,
  readScopeBytes,
  readSystem,
} from '../../core/ledger/read.ts';
import type { LogItem } from '../../core/light/log-update.ts';
import { EMPTY_FRONTIER, frontierRoot } from '../../core/merkle/log.ts';
import { type MapProof, mapProve } from '../../core/merkle/map.ts';
import { hasValue } from '../../core/merkle/map-view.ts';
import { Subtrees } from '../../core/merkle/subtrees.ts';
import type { CertifiedHeader } from '../../core/types/chain.ts';
import type { Span } from '../../core/types/span.ts';
import type { ChainStore, StoredBlock } from '../../ports/chain-store.ts';
import { LIGHT_WIRE_LIMITS, type LogQuery, type LogsQuery } from '../../wire/light.ts';
import type { LogAnswer, LogPart, LogsAnswer } from '../../wire/light-answer.ts';
import { type LightServerLimits, PRUNED, SUSPENDED } from './limits.ts';
import { QuietLogReader } from './quiet-logs.ts';
import { SubtreeCache } from './subtree-cache.ts';

const HASH_BYTES = 32;

/** What is left of one answer. */
interface Budget {
  bytes: number;
  items: number;
}

export function certifiedOf(stored: StoredBlock): CertifiedHeader | null {
  return stored.certificate === null
    ? null
    : { header: stored.block.header, certificate: stored.certificate };
}

/** About what a proof takes on the wire, with the log's id and the frame of its fields. */
function bytesOf(proof: MapProof): number {
  return 128 + HASH_BYTES * proof.siblings.length;
}

/** The asker that counted on its quiet logs has not heard of the suspension yet: it asks for the system log first. */
function suspendedAnswer(logId: LogId, { quiet }: LogsQuery): LogAnswer {
  return quiet ? { logId, kind: 'later' } : { logId, kind: 'refused', code: SUSPENDED };
}

/** Cuts logs out of the committed state for one member, who is not revoked there: all of one answer under one head. */
export class LogReader {
  private readonly subtrees: SubtreeCache;
  private readonly quiet: QuietLogReader;

  constructor(
    private readonly store: ChainStore,
    private readonly suite: Suite,
    private readonly limits: LightServerLimits,
  ) {
    this.subtrees = new SubtreeCache(limits.subtreesKept);
    this.quiet = new QuietLogReader(store, suite.sha256, limits.quietLogsKept);
  }

  answer(member: MemberId, query: LogsQuery): LogsAnswer {
    const head = assertDefined(this.store.head(), 'the chain has its genesis block');
    const { height } = head.block.header;
    const budget = { bytes: this.limits.answerBytesTarget, items: this.limits.itemsPerAnswer };
    const logs: LogAnswer[] = [];
    const changedMax = LIGHT_WIRE_LIMITS.logsPerQuery;
    const suspended = this.isSuspended(member);
    const quiet = query.quiet && !suspended ? this.quiet.answer(head, member, query.quiet, changedMax) : null;
    // What is followed all the time comes before what a newcomer has to catch up with.
    const woken: LogAnswer[] = [];
    for (const { logId, ended } of quiet?.changed ?? []) {
      const asked = { logId, ended, height: query.quiet!.height };
      const answer = this.woken(head, member, asked, budget);
      if (answer !== null) woken.push(answer);
    }
    for (const asked of query.logs) {
      const answer: LogAnswer =
        suspended && !this.isSystem(asked.logId)
          ? suspendedAnswer(asked.logId, query)
          : this.log(head, member, asked, budget);
      logs.push(answer);
      // Every question opens with the system log; where it has nothing new the next log is the first to be served.
      if (logs.length === 1 && answer.kind === 'unchanged') budget.bytes = this.limits.answerBytesTarget;
    }
    return {
      height,
      certified: height > query.knownHeight ? certifiedOf(head) : null,
      scopeCount: readMemberScopeCount(this.store.state, member),
      scopes: suspended ? [] : this.scopes(member, query.scopesFrom),
      scopesBase: this.store.history.baseHeight,
      logs: [...logs, ...woken],
      quiet: quiet?.step ?? null,
    };
  }

  /** One that is suspended goes on reading the system log, and so learns of it, and of the end of it. */
  private isSuspended(member: MemberId): boolean {
    return isSuspended(readSystem(this.store.state), member);
  }

  private isSystem(logId: LogId): boolean {
    return readLogScope(this.store.state, logId)?.scope === 'system';
  }

  /** What has changed of a log that the asker held whole at a height; null where that changes nothing for it. */
  private woken(
    head: StoredBlock,
    member: MemberId,
    { logId, ended, height }: { readonly logId: LogId; readonly ended: boolean; readonly height: number },
    budget: Budget,
  ): LogAnswer | null {
    const { state } = this.store;
    const row = readLog(state, logId);
    if (row === null) return null;
    const readable = activeRanges(state, member, logId);
    const ends = readable.at(-1)?.to ?? null;
    const size = this.sizeAt(logId, row.size, height);
    // what came after the removal, which is held
    if (ends !== null && ends <= size) return null;
    // added again: only the asker knows what it holds
    if (ended) return { logId, kind: 'later' };
    const held = readable
      .map(({ from, to }) => ({ from, to: Math.min(to ?? size, size) }))
      .filter(({ from, to }) => from < to);
    const same = this.hadDigest(logId, row, size, height);
    const digest = same ? row.digest : null;
    return this.log(head, member, { logId, held, digest, ended: false }, budget);
  }

  /** Leaves of the log up to a height. */
  private sizeAt(logId: LogId, size: number, height: number): number {
    const heightOf = (position: number) => {
      const leaf = decodeLeaf(this.store.leaves(logId, position, position + 1, 1)[0]!.leaf);
      assert(!isReject(leaf), 'a stored leaf decodes');
      return leaf.height;
    };
    let [from, to] = [0, size];
    // most often few leaves are new
    for (let step = 1; step < size; step *= 2) {
      if (heightOf(size - step) > height) to = size - step;
      else {
        from = size - step + 1;
        break;
      }
    }
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      if (heightOf(middle) > height) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  /** True when the scope's state was the same at that height, as the map of that height says. */
  private hadDigest(logId: LogId, row: LogRow, size: number, height: number): boolean {
    const { sha256 } = this.suite;
    const before = this.store.block(height);
    if (before === null) return false;
    const root = frontierRoot(sha256, this.tree(logId).frontier(size));
    const value = mapValueOf(sha256, { size, root, digest: row.digest });
    const nodes = (hash: Hash) => this.store.state.mapNode(hash);
    return hasValue(nodes, before.block.header.mapRoot, mapKeyOf(sha256, logId), value);
  }

  private tree(logId: LogId): Subtrees {
    const leafHashes = (first: number, end: number) => this.store.leafHashes(logId, first, end);
    return new Subtrees(this.suite.sha256, leafHashes, this.subtrees.of(logId));
  }

  private scopes(member: MemberId, from: number): ScopeRef[] {
    const { state } = this.store;
    const to = Math.min(readMemberScopeCount(state, member), from + this.limits.scopesPerAnswer);
    return Array.from({ length: Math.max(0, to - from) }, (_, index) =>
      readMemberScope(state, member, from + index),
    );
  }

  private log(head: StoredBlock, member: MemberId, asked: LogQuery, budget: Budget): LogAnswer {
    const { logId } = asked;
    const { state } = this.store;
    if (budget.bytes <= 0) return { logId, kind: 'later' };
    const readable = activeRanges(state, member, logId);
    const last = readable.at(-1);
    const row = readLog(state, logId);
    // A log that does not exist and one that is not the asker's look the same [82].
    const refused = { logId, kind: 'refused' } as const;
    if (row === null) return { ...refused, code: 'not_readable', absence: this.mapProof(head, logId) };
    if (last === undefined) return { ...refused, code: 'not_readable' };
    const missing = firstMissing(readable, asked.held, row.size);
    const ended = last.to !== null;
    if (missing === null && ended && asked.ended) return { logId, kind: 'ended' };
    const mapProof = this.mapProof(head, logId);
    if (missing === null && !ended && asked.digest === row.digest) {
      budget.bytes -= bytesOf(mapProof);
      return { logId, kind: 'unchanged', mapProof };
    }
    const end = last.to ?? row.size;
    const span = missing ?? { from: end, to: end };
    const part = this.part(asked, row, { span, ended, mapProof }, budget);
    if (part === null) return { ...refused, code: PRUNED };
    budget.bytes -= bytesOf(mapProof);
    return { logId, kind: 'part', part };
  }

  private mapProof(head: StoredBlock, logId: LogId): MapProof {
    const { sha256 } = this.suite;
    const nodes = (hash: Hash) => this.store.state.mapNode(hash);
    return mapProve(sha256, nodes, head.block.header.mapRoot, mapKeyOf(sha256, logId));
  }

  private part(
    asked: LogQuery,
    row: LogRow,
    served: { readonly span: Span; readonly ended: boolean; readonly mapProof: MapProof },
    budget: Budget,
  ): LogPart | null {
    const { logId, held } = asked;
    const { span, ended, mapProof } = served;
    const { from } = span;
    // A removed participant is not shown the state, which has what came after it [82].
    const sendState = !ended && asked.digest !== row.digest;
    const state = sendState ? readScopeBytes(this.store.state, row) : null;
    // The state first: without it the asker cannot tell what it may read.
    budget.bytes -= state?.length ?? 0;
    const items = this.items(logId, span, budget);
    if (items.length === 0 && span.from < span.to && budget.items > 0) return null;
    const tree = this.tree(logId);
    // Whoever goes on from leaves that it holds has the frontier already.
    const goesOn = from > 0 && held.some(entry => entry.to === from);
    return {
      entry: { size: row.size, root: row.root, digest: row.digest },
      mapProof,
      state,
      from,
      frontier: goesOn ? EMPTY_FRONTIER : tree.frontier(from),
      items,
      consistency: tree.consistencyProof(from + items.length, row.size),
      ended,
    };
  }

  /** Ends before the first leaf whose transaction was pruned, or never came with a snapshot. */
  private items(logId: LogId, span: Span, budget: Budget): LogItem[] {
    const items: LogItem[] = [];
    for (const { leaf, transactionId } of this.store.leaves(logId, span.from, span.to, budget.items)) {
      if (budget.bytes <= 0 && items.length > 0) break;
      const wrapper = this.store.transaction(transactionId);
      if (wrapper === null) break;
      const item = { leaf, transaction: scopedTransaction(wrapper, logId) };
      budget.bytes -= item.leaf.length + item.transaction.length;
      budget.items -= 1;
      items.push(item);
    }
    return items;
  }
}

/** The wrapper with the parts of one log's scope, and null for every other (DESIGN.md section 4). */
function scopedTransaction(wrapper: Uint8Array, logId: LogId): Uint8Array {
  const signed = decodeSignedTransaction(wrapper);
  assert(!isReject(signed), 'a stored wrapper decodes');
  const body = decodeBody(signed.body);
  assert(!isReject(body), 'a stored body decodes');
  const scope = body.scopes.indexOf(logId);
  const parts = signed.parts.map((part, index) => (body.parts[index]!.scope === scope ? part : null));
  return encodeSignedTransaction({ ...signed, parts });
}
