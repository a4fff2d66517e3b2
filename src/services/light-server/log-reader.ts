import { type ReadableRange, readableRange } from '../../core/access/visibility.ts';
import { assert, assertDefined } from '../../core/base/assert.ts';
import type { LogId, MemberId, Suite } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { type LogRow, mapKeyOf, type ScopeRef } from '../../core/codec/state.ts';
import {
  decodeBody,
  decodeSignedTransaction,
  encodeSignedTransaction,
} from '../../core/codec/transaction.ts';
import { readLog, readMemberScope, readMemberScopeCount, readScopeBytes } from '../../core/ledger/read.ts';
import type { LogItem } from '../../core/light/log-update.ts';
import { appendLeaves, consistencyProof, EMPTY_FRONTIER, type Frontier } from '../../core/merkle/log.ts';
import { mapProve } from '../../core/merkle/map.ts';
import type { CertifiedHeader } from '../../core/types/chain.ts';
import type { ChainStore, StoredBlock } from '../../ports/chain-store.ts';
import type { LogQuery, LogsQuery } from '../../wire/light.ts';
import type { LogAnswer, LogPart, LogsAnswer } from '../../wire/light-answer.ts';
import type { LightServerLimits } from './limits.ts';

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

/** Cuts logs out of the committed state for one member, all of one answer under one head. */
export class LogReader {
  constructor(
    private readonly store: ChainStore,
    private readonly suite: Suite,
    private readonly limits: LightServerLimits,
  ) {}

  answer(member: MemberId, query: LogsQuery): LogsAnswer {
    const head = assertDefined(this.store.head(), 'the chain has its genesis block');
    const { height } = head.block.header;
    const budget = { bytes: this.limits.answerBytesTarget, items: this.limits.itemsPerAnswer };
    const logs = query.logs.map(asked => this.log(head, member, asked, budget));
    return {
      height,
      certified: height > query.knownHeight ? certifiedOf(head) : null,
      scopeCount: readMemberScopeCount(this.store.state, member),
      scopes: this.scopes(member, query.scopesFrom),
      logs,
    };
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
    const range = readableRange(state, member, logId);
    const row = readLog(state, logId);
    // A log that does not exist and one that is not the asker's look the same [82].
    if (range === null || row === null) return { logId, kind: 'refused', code: 'not_readable' };
    if (asked.ended && asked.from === range.to) return { logId, kind: 'unchanged' };
    return { logId, kind: 'part', part: this.part(head, asked, row, range, budget) };
  }

  private part(
    head: StoredBlock,
    asked: LogQuery,
    row: LogRow,
    range: ReadableRange,
    budget: Budget,
  ): LogPart {
    const { state } = this.store;
    const { sha256 } = this.suite;
    const { logId } = asked;
    const end = range.to ?? row.size;
    const goesOn = asked.from >= range.from && asked.from <= end && asked.from > 0;
    const from = goesOn ? asked.from : range.from;
    const items = this.items(logId, from, end, budget);
    const sendState = range.to === null && asked.digest !== row.digest;
    const hashAt = (position: number) =>
      assertDefined(state.leafHash(logId, position), 'a log has every leaf below its size');
    return {
      entry: { size: row.size, root: row.root, digest: row.digest },
      mapProof: mapProve(
        sha256,
        hash => state.mapNode(hash),
        head.block.header.mapRoot,
        mapKeyOf(sha256, logId),
      ),
      state: sendState ? readScopeBytes(state, row) : null,
      from,
      frontier: goesOn ? EMPTY_FRONTIER : this.frontier(logId, from),
      items,
      consistency: consistencyProof(sha256, hashAt, from + items.length, row.size),
      ended: range.to !== null,
    };
  }

  /** Whoever goes on from leaves that it holds has the frontier already. */
  private frontier(logId: LogId, size: number): Frontier {
    return appendLeaves(this.suite.sha256, EMPTY_FRONTIER, this.store.leafHashes(logId, 0, size));
  }

  private items(logId: LogId, from: number, end: number, budget: Budget): LogItem[] {
    const items: LogItem[] = [];
    for (const { leaf, transactionId } of this.store.leaves(logId, from, end, budget.items)) {
      if (budget.bytes <= 0) break;
      const wrapper = assertDefined(this.store.transaction(transactionId), 'a leaf has its transaction');
      const item = { leaf, transaction: scopedTransaction(wrapper, logId) };
      budget.bytes -= item.leaf.length + item.transaction.length;
      budget.items -= 1;
      items.push(item);
    }
    return items;
  }
}

/** The wrapper with the parts of one log's scope, and null for every other (DESIGN.md section 4). */
export function scopedTransaction(wrapper: Uint8Array, logId: LogId): Uint8Array {
  const signed = decodeSignedTransaction(wrapper);
  assert(!isReject(signed), 'a stored wrapper decodes');
  const body = decodeBody(signed.body);
  assert(!isReject(body), 'a stored body decodes');
  const scope = body.scopes.indexOf(logId);
  const parts = signed.parts.map((part, index) => (body.parts[index]!.scope === scope ? part : null));
  return encodeSignedTransaction({ ...signed, parts });
}
