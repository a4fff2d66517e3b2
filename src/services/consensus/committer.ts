import type { BlockHash, TransactionId } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { headerHash } from '../../core/codec/chain.ts';
import { STATE_KEYS } from '../../core/codec/state.ts';
import { decodeTransaction } from '../../core/codec/transaction.ts';
import { checkCertificate } from '../../core/light/certificate.ts';
import { verifyBlockEntries } from '../../core/pbft/verify.ts';
import type { Block, Certificate } from '../../core/types/chain.ts';
import type { Diff } from '../../core/types/state.ts';
import type { StoredBlock } from '../../ports/chain-store.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { SyncBlock } from '../../wire/sync.ts';
import type { PoolEntry } from '../pool/mempool.ts';
import type { ChainReader } from './chain-reader.ts';
import type { Executor, Overlay } from './executor.ts';

/** A block that is durable now; `diff` says what it changed. */
export interface Committed {
  readonly stored: StoredBlock;
  readonly diff: Diff;
  readonly ids: readonly TransactionId[];
}

export type OnCommitted = (committed: Committed) => void;

/** The one way into the chain store: blocks of the engine and of state transfer, one after the other. */
export class Committer {
  private last: Promise<unknown> = Promise.resolve();
  private readonly listeners = new Set<OnCommitted>();

  constructor(
    private readonly chain: ChainReader,
    private readonly executor: Executor,
    /** Sees each verified certificate before its block is written; throws to stop this node. */
    private readonly inspect: (certificate: Certificate) => Promise<void>,
  ) {}

  /** @returns a function that ends the subscription */
  onCommitted(listener: OnCommitted): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Resolves when everything that was given so far is on disk or has failed. */
  async idle(): Promise<void> {
    await this.last.catch(() => {});
  }

  /** The engine's commit; nothing is written when the store has the height already. */
  commit(block: Block, hash: BlockHash, certificate: Certificate): Promise<void> {
    return this.inTurn(async () => {
      if (block.header.height <= this.chain.headHeight()) return;
      const overlay = this.executor.get(hash);
      if (overlay === null) {
        throw new OperatingError('not_executed', `block ${block.header.height} was decided but not executed`);
      }
      await this.inspect(certificate);
      await this.write(overlay, certificate);
    });
  }

  /** See `SyncTarget.applyCertified`. */
  applyCertified(block: SyncBlock): Promise<Reject | null> {
    return this.inTurn(async () => {
      const { header } = block.block;
      if (header.height <= this.chain.headHeight()) return null;
      const fault = this.checkLink(block);
      if (fault !== null) return fault;
      await this.inspect(block.certificate);
      const entries = this.checkBodies(block);
      if (isReject(entries)) return entries;
      const hash = headerHash(this.chain.suite.sha256, header);
      const overlay = this.executor.execute(block.block, hash, entries);
      if (isReject(overlay)) {
        // A quorum has signed the other result, so this node's state or program differs (SCENARIOS 12).
        throw new OperatingError(
          'execution_differs',
          `height ${header.height}: ${overlay.detail}`,
          'Run "phaseline db verify" on this data directory and compare the versions of the nodes.',
        );
      }
      await this.write(overlay, block.certificate);
      return null;
    });
  }

  /** See `SyncTarget.installSnapshot`. Listeners hear of it as of one block that brings all ids of the replay window. */
  installSnapshot(height: number, install: () => Promise<void>): Promise<void> {
    return this.inTurn(async () => {
      if (height <= this.chain.headHeight()) return;
      await install();
      this.executor.settle(height);
      const { store } = this.chain;
      const ids: TransactionId[] = [];
      for (let at = store.history.blocksFrom; at <= height; at += 1) {
        for (const { id } of store.block(at)?.block.entries ?? []) ids.push(id);
      }
      const state = new Map([[STATE_KEYS.system, store.state.get(STATE_KEYS.system)]]);
      const nothing = { mapNodes: new Map(), staleMapNodes: [], leaves: [] };
      const diff: Diff = { height, state, ...nothing, ids };
      for (const listener of this.listeners) listener({ stored: this.chain.head(), diff, ids });
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.last.catch(() => {}).then(work);
    this.last = turn;
    return turn;
  }

  private checkLink({ block, certificate }: SyncBlock): Reject | null {
    const { block: head, hash } = this.chain.head();
    const { header } = block;
    if (header.height !== head.header.height + 1) return reject('wrong_height', `height ${header.height}`);
    if (header.parentHash !== hash) return reject('wrong_parent', `height ${header.height}`);
    const { suite } = this.chain;
    // Ties the entries to the certified header, so that a difference in execution is never the sender's doing.
    if (!verifyBlockEntries(suite, block)) return reject('wrong_entries', `height ${header.height}`);
    return checkCertificate(suite, this.chain.chainId(), { header, certificate }, this.chain.validatorSet());
  }

  private checkBodies({ block, transactions }: SyncBlock): PoolEntry[] | Reject {
    const entries: PoolEntry[] = [];
    for (const [index, bytes] of transactions.entries()) {
      const transaction = decodeTransaction(this.chain.suite.sha256, bytes);
      if (isReject(transaction)) return transaction;
      const named = block.entries[index];
      const matches = transaction.id === named?.id && transaction.wrapperHash === named.wrapperHash;
      if (!matches || transaction.signed.parts.includes(null)) {
        return reject('wrong_body', `entry ${index} of height ${block.header.height}`);
      }
      entries.push({ transaction, bytes, sinceMs: 0 });
    }
    if (entries.length !== block.entries.length) return reject('wrong_body', 'a body is missing');
    return entries;
  }

  private async write(overlay: Overlay, certificate: Certificate): Promise<void> {
    const stored: StoredBlock = { block: overlay.block, hash: overlay.hash, certificate };
    await this.chain.store.commit(
      stored,
      overlay.diff,
      overlay.entries.map(entry => entry.bytes),
    );
    this.executor.settle(overlay.block.header.height);
    const committed: Committed = { stored, diff: overlay.diff, ids: [...overlay.ids] };
    for (const listener of this.listeners) listener(committed);
  }
}
