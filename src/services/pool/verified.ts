import { concatBytes, equalBytes } from '../../core/base/bytes.ts';
import type { Hash, Suite } from '../../core/base/ids.ts';
import { transactionSigningBytes } from '../../core/codec/transaction.ts';
import { batchRoot, createTreeVerifier, type VerifyTransaction } from '../../core/ledger/signature.ts';
import type { Transaction } from '../../core/types/transaction.ts';
import type { VerifyAside } from '../../ports/verify-aside.ts';

function forgetOldest<K>(entries: { keys(): IterableIterator<K>; delete(key: K): boolean }): void {
  for (const oldest of entries.keys()) {
    entries.delete(oldest);
    break;
  }
}

/**
 * Remembers which signatures were found good, so that the root of a batch is verified once for all its transactions, and a
 * vote once for all certificates that hold it. Bad ones are not remembered: they would push out good ones.
 *
 * @param entriesMax remembered signatures; the oldest are forgotten
 */
export function rememberingSuite(suite: Suite, entriesMax: number): Suite {
  const good = new Set<Hash>();
  return {
    ...suite,
    verify: (publicKey, bytes, signature) => {
      // Fixed lengths, so that the concatenation has one reading.
      if (publicKey.length !== 33 || signature.length !== 64) return false;
      const key = suite.sha256(concatBytes(publicKey, signature, bytes));
      if (good.has(key)) return true;
      if (!suite.verify(publicKey, bytes, signature)) return false;
      if (good.size >= entriesMax) forgetOldest(good);
      good.add(key);
      return true;
    },
  };
}

/** Verifications on other threads: as many as are checked in a turn are on their way, so that disk writes wait little behind them. */
const ASIDE_MAX = 32;
/** What waits for its turn beyond these; what comes then is verified where it is checked. */
const ASIDE_WAITING_MAX = 2_048;

/**
 * Remembers which wrappers were verified under which key: a transaction that was checked on arrival costs a look-up when its
 * block is executed. The wrapper hash covers the body, the signature and the batch path.
 */
export class VerifiedTransactions {
  private readonly good = new Map<Hash, Uint8Array>();
  /** Under which key another thread found the signature bad: a verdict for the check that follows, and no longer. */
  private readonly bad = new WeakMap<Transaction, Uint8Array>();
  private readonly inTree: VerifyTransaction;
  private readonly waiting: (() => void)[] = [];
  private underway = 0;

  /**
   * @param entriesMax remembered wrappers; the oldest are forgotten
   * @param aside null: everything is verified where it is checked
   */
  constructor(
    private readonly suite: Suite,
    private readonly entriesMax: number,
    private readonly aside: VerifyAside | null,
  ) {
    this.inTree = createTreeVerifier(suite);
  }

  readonly verify: VerifyTransaction = (transaction, publicKey) => {
    if (this.knows(transaction, publicKey)) return true;
    const bad = this.bad.get(transaction);
    if (bad !== undefined && equalBytes(bad, publicKey)) return false;
    if (!this.inTree(transaction, publicKey)) return false;
    this.remember(transaction, publicKey);
    return true;
  };

  /**
   * Finds on another thread what `verify` will say. Only for what was signed alone: of a tree one signature is verified for all.
   *
   * @returns settles when `verify` can answer at once; null when there is nothing to wait for
   */
  ahead(transaction: Transaction, publicKey: Uint8Array): Promise<void> | null {
    const { aside, suite } = this;
    const { body, id, signed } = transaction;
    if (aside === null || this.waiting.length >= ASIDE_WAITING_MAX || signed.batch.treeSize !== 1)
      return null;
    const root = batchRoot(suite.sha256, id, signed.batch);
    if (root === null || this.knows(transaction, publicKey)) return null;
    const bytes = transactionSigningBytes(body.chainId, body.keyId, 1, root);
    return new Promise(resolve => {
      const verified = (isGood: boolean) => {
        this.underway -= 1;
        if (isGood) this.remember(transaction, publicKey);
        else this.bad.set(transaction, publicKey);
        resolve();
        this.startNext();
      };
      this.waiting.push(() => aside(publicKey, bytes, signed.signature, verified));
      this.startNext();
    });
  }

  private startNext(): void {
    if (this.underway >= ASIDE_MAX) return;
    const start = this.waiting.shift();
    if (start === undefined) return;
    this.underway += 1;
    start();
  }

  private knows({ wrapperHash }: Transaction, publicKey: Uint8Array): boolean {
    const known = this.good.get(wrapperHash);
    return known !== undefined && equalBytes(known, publicKey);
  }

  private remember({ wrapperHash }: Transaction, publicKey: Uint8Array): void {
    if (this.good.size >= this.entriesMax) forgetOldest(this.good);
    this.good.set(wrapperHash, publicKey);
  }
}
