import { concatBytes } from '../../core/base/bytes.ts';
import type { Hash, Suite } from '../../core/base/ids.ts';

/**
 * Remembers which signatures were found good, so that a transaction that was checked on arrival costs a hash and
 * not a curve operation when its block is executed, and the root of a batch is verified once for all its members. Bad
 * ones are not remembered: they would push out good ones.
 *
 * @param entriesMax remembered signatures; the oldest are forgotten
 */
export function rememberingSuite(suite: Suite, entriesMax: number): Suite {
  const good = new Set<Hash>();
  return {
    sha256: suite.sha256,
    verify: (publicKey, bytes, signature) => {
      // Key and signature have fixed lengths whenever they are valid, so the concatenation has one reading.
      if (publicKey.length !== 33 || signature.length !== 64) return false;
      const key = suite.sha256(concatBytes(publicKey, signature, bytes));
      if (good.has(key)) return true;
      if (!suite.verify(publicKey, bytes, signature)) return false;
      if (good.size >= entriesMax) {
        for (const oldest of good) {
          good.delete(oldest);
          break;
        }
      }
      good.add(key);
      return true;
    },
  };
}
