import { assertDefined } from '../core/base/assert.ts';
import { type Hash, type LogId, type MemberId, ZERO_HASH } from '../core/base/ids.ts';
import { isReject } from '../core/base/reject.ts';
import { headerHash } from '../core/codec/chain.ts';
import {
  decodeLogRow,
  type LogRow,
  mapKeyOf,
  mapValueOf,
  STATE_KEYS,
  scopeDigest,
} from '../core/codec/state.ts';
import { decodeTransaction } from '../core/codec/transaction.ts';
import { genesisBlock, genesisSystem } from '../core/ledger/genesis.ts';
import { readMemberScopes, readScopeBytes, readSystem } from '../core/ledger/read.ts';
import { checkCertificate } from '../core/light/certificate.ts';
import { advanceTrust, genesisTrust, type SetChange, type Trust } from '../core/light/trust.ts';
import { appendLeaves, EMPTY_FRONTIER, frontierRoot, leafHash } from '../core/merkle/log.ts';
import { mapUpdate } from '../core/merkle/map.ts';
import { verifyBlockEntries } from '../core/pbft/verify.ts';
import { membersOf } from '../core/snapshot/member-scopes.ts';
import type { ValidatorSet } from '../core/types/chain.ts';
import type { Genesis } from '../core/types/state.ts';
import { nodeSuite } from '../crypto/suite.ts';
import type { StoredBlock } from '../ports/chain-store.ts';
import type { KeyValueStore } from '../ports/kv.ts';
import { keys, startingWith } from '../store/keyspaces.ts';
import type { KvChainStore } from '../store/kv-chain-store.ts';

const { sha256 } = nodeSuite;
const SET_CHANGES_PER_STEP = 256;
const LEAVES_PER_STEP = 4096;

export interface HeldReport {
  readonly blocks: number;
  readonly transactions: number;
  /** The first thing that does not verify; null when all does. */
  readonly fault: string | null;
}

/**
 * Verifies a store that does not have every transaction since genesis: set changes from genesis to the head, each block and
 * transaction that is there, and the state, the logs and the indexes against the map of the certified head. Nothing is
 * executed again: the head's certificate says that a quorum did.
 */
export class HeldVerifier {
  private blocks = 0;
  private transactions = 0;
  private sets: { readonly fromHeight: number; readonly set: ValidatorSet }[] = [];

  constructor(
    private readonly genesis: Genesis,
    private readonly kv: KeyValueStore,
    private readonly store: KvChainStore,
  ) {}

  async verify(): Promise<HeldReport> {
    const fault = (await this.setsFault()) ?? this.blocksFault() ?? (await this.stateFault());
    return { blocks: this.blocks, transactions: this.transactions, fault };
  }

  private head(): StoredBlock {
    return assertDefined(this.store.head(), 'the store has a head');
  }

  private async setsFault(): Promise<string | null> {
    const { validatorSet } = genesisSystem(this.genesis);
    const { header } = genesisBlock(nodeSuite, this.genesis).block;
    const anchor = genesisTrust(nodeSuite, header, validatorSet);
    if (isReject(anchor)) return anchor.detail;
    if (this.store.block(0)?.hash !== anchor.hash) return 'genesis is not that of the genesis file';
    this.sets = [{ fromHeight: 0, set: validatorSet }];
    let trust: Trust = anchor;
    const { block, certificate } = this.head();
    const { height } = block.header;
    for (;;) {
      const changes = await this.store.setChanges(trust.header.height, height, SET_CHANGES_PER_STEP);
      const last: SetChange | undefined = changes.at(-1);
      const isEnd = changes.length < SET_CHANGES_PER_STEP;
      const end = isEnd && certificate !== null ? { header: block.header, certificate } : last?.certified;
      if (end === undefined) return null;
      const next = advanceTrust(nodeSuite, trust, { setChanges: changes, head: end });
      if (isReject(next)) return `set changes: ${next.detail}`;
      for (const { certified, nextSet } of changes) {
        this.sets.push({ fromHeight: certified.header.height, set: nextSet });
      }
      if (isEnd) return null;
      trust = next;
    }
  }

  private blocksFault(): string | null {
    const { height: top } = this.head().block.header;
    let parent: Hash | null = null;
    for (let height = this.store.history.blocksFrom; height <= top; height += 1) {
      const stored = this.store.block(height);
      const fault = stored === null ? 'missing' : this.blockFault(stored, parent);
      if (fault !== null || stored === null) return `block ${height}: ${fault}`;
      parent = stored.hash;
      this.blocks += 1;
    }
    return null;
  }

  private blockFault({ block, hash, certificate }: StoredBlock, parent: Hash | null): string | null {
    const { header } = block;
    if (headerHash(sha256, header) !== hash) return 'another hash';
    if (parent !== null && header.parentHash !== parent) return 'another parent';
    if (!verifyBlockEntries(nodeSuite, block)) return 'other entries than its header names';
    if (certificate === null) return 'no certificate';
    const reign = assertDefined(
      this.sets.findLast(({ fromHeight }) => fromHeight < header.height),
      'genesis decides the first heights',
    );
    const fault = checkCertificate(nodeSuite, header.chainId, { header, certificate }, reign.set);
    if (fault !== null) return `certificate: ${fault.detail}`;
    for (const { id, wrapperHash } of block.entries) {
      const bytes = this.store.wrapper(wrapperHash);
      if (bytes === null) {
        if (header.height >= this.store.history.bodiesFrom) return `transaction ${id} is missing`;
        continue;
      }
      const transaction = decodeTransaction(sha256, bytes);
      const same = !isReject(transaction) && transaction.id === id && transaction.wrapperHash === wrapperHash;
      if (!same) return `transaction ${id} is stored wrongly`;
      this.transactions += 1;
    }
    return null;
  }

  private async stateFault(): Promise<string | null> {
    const entries = new Map<Hash, Hash>();
    const scopes = new Map<MemberId, string[]>();
    const prefix = keys.state(this.store.generation, STATE_KEYS.log('' as LogId));
    for await (const [key, value] of this.kv.entries(startingWith(prefix))) {
      const logId = key.slice(prefix.length) as LogId;
      const row = decodeLogRow(value);
      if (isReject(row)) return `log ${logId}: ${row.detail}`;
      const fault = this.logFault(logId, row) ?? this.scopeFault(row, scopes);
      if (fault !== null) return `${row.scope} ${row.id}: ${fault}`;
      entries.set(mapKeyOf(sha256, logId), mapValueOf(sha256, row));
    }
    const { root } = mapUpdate(sha256, () => null, ZERO_HASH, entries);
    if (root !== this.head().block.header.mapRoot) return 'the stored logs do not give the map of the head';
    return this.indexFault(scopes);
  }

  private logFault(logId: LogId, { size, root }: LogRow): string | null {
    if (this.store.logSize(logId) !== size) return 'the log has another size than its row';
    let end = EMPTY_FRONTIER;
    for (let from = 0; from < size; from += LEAVES_PER_STEP) {
      const to = Math.min(size, from + LEAVES_PER_STEP);
      const leaves = this.store.leaves(logId, from, to, LEAVES_PER_STEP);
      const hashes = leaves.map(({ leaf }) => leafHash(sha256, leaf));
      const stored = this.store.leafHashes(logId, from, to);
      const wrong = stored.findIndex((hash, index) => hash !== hashes[index]);
      if (wrong >= 0) return `leaf ${from + wrong} is stored wrongly`;
      end = appendLeaves(sha256, end, hashes);
    }
    return frontierRoot(sha256, end) === root ? null : 'the leaves do not give the root';
  }

  private scopeFault(row: LogRow, scopes: Map<MemberId, string[]>): string | null {
    const bytes = readScopeBytes(this.store.state, row);
    if (bytes === null || scopeDigest(sha256, bytes) !== row.digest)
      return 'the state does not match its digest';
    const members = membersOf(row, bytes);
    if (isReject(members)) return members.detail;
    for (const member of members) {
      const list = scopes.get(member) ?? [];
      list.push(`${row.scope} ${row.id}`);
      scopes.set(member, list);
    }
    return null;
  }

  private indexFault(scopes: ReadonlyMap<MemberId, readonly string[]>): string | null {
    for (const { id } of readSystem(this.store.state).members) {
      const stored = readMemberScopes(this.store.state, id).map(ref => `${ref.scope} ${ref.id}`);
      const expected = [...(scopes.get(id) ?? [])].sort().join();
      if (stored.sort().join() !== expected)
        return `the list of the scopes of ${id} is not that of the state`;
    }
    return null;
  }
}
