import { concatBytes, equalBytes } from '../../core/base/bytes.ts';
import type { Hash, Suite } from '../../core/base/ids.ts';
import { createTreeVerifier, type VerifyTransaction } from '../../core/ledger/signature.ts';

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

/**
 * Remembers which wrappers were verified under which key: a transaction that was checked on arrival costs a look-up when its
 * block is executed. The wrapper hash covers the body, the signature and the batch path.
 *
 * @param entriesMax remembered wrappers; the oldest are forgotten
 */
export function rememberingVerify(suite: Suite, entriesMax: number): VerifyTransaction {
  const good = new Map<Hash, Uint8Array>();
  const verify = createTreeVerifier(suite);
  return (transaction, publicKey) => {
    const known = good.get(transaction.wrapperHash);
    if (known !== undefined && equalBytes(known, publicKey)) return true;
    if (!verify(transaction, publicKey)) return false;
    if (good.size >= entriesMax) forgetOldest(good);
    good.set(transaction.wrapperHash, publicKey);
    return true;
  };
}
