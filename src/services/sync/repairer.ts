import { assertDefined } from '../../core/base/assert.ts';
import type { Hash, LogId, Suite } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { headerHash } from '../../core/codec/chain.ts';
import { decodeTransaction } from '../../core/codec/transaction.ts';
import { readLog } from '../../core/ledger/read.ts';
import { checkCertificate } from '../../core/light/certificate.ts';
import { verifyBlockEntries } from '../../core/pbft/verify.ts';
import { checkLeaves } from '../../core/snapshot/check-leaves.ts';
import type { CertifiedBlock, LeavesSegment } from '../../core/snapshot/chunks.ts';
import type { BlockEntry, ValidatorSet } from '../../core/types/chain.ts';
import type { NewLeaf } from '../../core/types/state.ts';
import type { ChainStore, Damage, Mending } from '../../ports/chain-store.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { SyncAnswer, SyncRequest } from '../../wire/sync.ts';

export interface RepairerConfig {
  readonly store: ChainStore & { mend(mending: Mending): Promise<void> };
  readonly suite: Suite;
  readonly genesisSet: ValidatorSet;
  readonly logger: Logger;
  peers(): readonly PeerId[];
  /** Null when the peer did not answer, or refused. */
  ask(peer: PeerId, request: SyncRequest): Promise<SyncAnswer | null>;
  /** Transactions that the peers hold whether they have a block with them or not, by wrapper hash. */
  bodies(
    entries: readonly BlockEntry[],
    peers: readonly PeerId[],
  ): Promise<ReadonlyMap<Hash, { readonly bytes: Uint8Array }>>;
  penalise(peer: PeerId, fault: Reject): void;
  fail(error: unknown): void;
}

/** Damages that wait; one more is noticed again when it is read again. */
const WAITING_MAX = 256;

/**
 * Fetches blocks, transactions and leaves that the disk no longer gives back as they were written, and puts them in their
 * places: each is checked against what is held beside it, so that a peer needs no trust (SCENARIOS 68). The damaged read
 * itself has failed; the next one finds the value.
 */
export class Repairer {
  private readonly waiting = new Map<string, Damage>();
  private notices = 0;
  private running: Promise<void> | null = null;

  constructor(private readonly config: RepairerConfig) {}

  noticed(damage: Damage): void {
    this.notices += 1;
    if (this.waiting.size >= WAITING_MAX || this.waiting.has(damage.key)) return;
    this.config.logger.error({ key: damage.key }, 'a stored value is damaged');
    this.waiting.set(damage.key, damage);
    this.running ??= this.run()
      .catch(error => this.config.fail(error))
      .finally(() => {
        this.running = null;
      });
  }

  async idle(): Promise<void> {
    await this.running;
  }

  private async run(): Promise<void> {
    const postponed = new Set<string>();
    for (const [key, damage] of this.waiting) {
      const { notices } = this;
      const mending = await this.fetch(damage).catch((error: unknown) => {
        // any other damage, to a state for example, ends the node
        if (this.notices === notices) throw error;
        return 'blocked' as const;
      });
      if (mending === 'blocked') {
        // what it is checked against is damaged too and has come in behind it: once more after that, but not for ever
        this.waiting.delete(key);
        if (!postponed.has(key)) this.waiting.set(key, damage);
        postponed.add(key);
        continue;
      }
      if (mending !== null) {
        await this.config.store.mend(mending);
        this.config.logger.info({ key }, 'repaired from a peer');
      }
      this.waiting.delete(key);
    }
  }

  private async fetch(damage: Damage): Promise<Mending | null> {
    for (const peer of this.config.peers()) {
      const mending = await this.fetchFrom(peer, damage);
      if (mending === null) continue;
      if (!isReject(mending)) return mending;
      this.config.penalise(peer, mending);
    }
    return damage.kind === 'bodies' ? this.fetchBodies(damage.height) : null;
  }

  /** Whoever voted for the block holds its transactions, and may not have it: what lacks the block of this node must not wait for it. */
  private async fetchBodies(height: number): Promise<Mending | null> {
    const { store, peers, bodies } = this.config;
    const { entries } = assertDefined(store.block(height), 'the block of a transaction is here').block;
    const held = await bodies(entries, peers());
    const wrappers = entries.flatMap(({ id, wrapperHash }) => {
      const bytes = held.get(wrapperHash)?.bytes;
      return bytes === undefined ? [] : [{ id, wrapperHash, bytes }];
    });
    return wrappers.length === 0 ? null : { kind: 'bodies', wrappers };
  }

  private async fetchFrom(peer: PeerId, damage: Damage): Promise<Mending | Reject | null> {
    if (damage.kind === 'leaves') return this.fetchLeaves(peer, damage.logId, damage.from, damage.to);
    const { height } = damage;
    if (damage.kind === 'block') {
      const answer = await this.config.ask(peer, {
        kind: 'chunk',
        request: { kind: 'blocks', from: height, to: height + 1 },
      });
      const block =
        answer?.kind === 'chunk' && answer.chunk.kind === 'blocks' ? answer.chunk.blocks[0] : undefined;
      return block === undefined ? null : this.checkBlock(height, block);
    }
    const query = { kind: 'blocks' as const, fromHeight: height, blocksMax: 1, bytesMax: 1 };
    const answer = await this.config.ask(peer, query);
    const found = answer?.kind === 'blocks' ? answer.blocks[0] : undefined;
    return found === undefined ? null : this.checkBodies(height, found.transactions);
  }

  /** The block above names it; the head is named by nothing, and a snapshot or the next block mends it. */
  private checkBlock(height: number, { block, certificate }: CertifiedBlock): Mending | Reject | null {
    const { store, suite } = this.config;
    const above = store.block(height + 1);
    if (above === null) return null;
    const hash = headerHash(suite.sha256, block.header);
    if (hash !== above.block.header.parentHash || !verifyBlockEntries(suite, block)) {
      return reject('wrong_block', `height ${height}`);
    }
    const { header } = block;
    const change = store.setChange(header.previousSetChangeHeight);
    const set = change?.nextSet ?? this.config.genesisSet;
    const fault = checkCertificate(suite, header.chainId, { header, certificate }, set);
    if (fault !== null) return fault;
    return { kind: 'block', stored: { block, hash, certificate } };
  }

  private checkBodies(height: number, transactions: readonly Uint8Array[]): Mending | Reject | null {
    const { store, suite } = this.config;
    const { entries } = assertDefined(store.block(height), 'the block of a transaction is here').block;
    for (const [index, bytes] of transactions.entries()) {
      const transaction = decodeTransaction(suite.sha256, bytes);
      if (isReject(transaction)) return transaction;
      const isIt = transaction.wrapperHash === entries[index]?.wrapperHash;
      if (!isIt || transaction.signed.parts.includes(null)) return reject('wrong_body', `height ${height}`);
    }
    if (transactions.length !== entries.length) return reject('wrong_body', `height ${height}`);
    const wrappers = entries.map(({ id, wrapperHash }, index) => ({
      id,
      wrapperHash,
      bytes: transactions[index]!,
    }));
    return { kind: 'bodies', wrappers };
  }

  private async fetchLeaves(
    peer: PeerId,
    logId: LogId,
    from: number,
    to: number,
  ): Promise<Mending | Reject | null> {
    const { store, suite } = this.config;
    const row = readLog(store.state, logId);
    if (row === null) return null;
    const leaves: NewLeaf[] = [];
    const size = Math.min(to, row.size);
    // an answer may be short, whether there is a reason or not: a part of a page would cut off the rest
    for (let at = from; at < size; at = from + leaves.length) {
      const segment: LeavesSegment = { logId, from: at, to: size, size: row.size };
      const request = { kind: 'leaves' as const, segments: [segment] };
      const answer = await this.config.ask(peer, { kind: 'chunk', request });
      const part =
        answer?.kind === 'chunk' && answer.chunk.kind === 'leaves' ? answer.chunk.parts[0] : undefined;
      if (part === undefined) return null;
      const checked = checkLeaves(suite.sha256, segment, row.root, part);
      if (isReject(checked)) return checked;
      leaves.push(...checked.leaves);
    }
    return { kind: 'leaves', leaves };
  }
}
