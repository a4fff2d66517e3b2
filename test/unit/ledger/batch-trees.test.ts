import { describe, expect, it } from 'vitest';
import type { Hash, LogId, MemberId, Sha256 } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { buildTransaction, signTransactions } from '../../../src/core/codec/build.ts';
import { decodeTransaction, encodeSignedTransaction } from '../../../src/core/codec/transaction.ts';
import { createTreeVerifier, verifyTransactionSignature } from '../../../src/core/ledger/signature.ts';
import type { Transaction } from '../../../src/core/types/transaction.ts';
import { generateSigningKey, p256Signer } from '../../../src/crypto/signer.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';

const { sha256 } = nodeSuite;
const signer = p256Signer(generateSigningKey());
const other = p256Signer(generateSigningKey());
const chainId = 'ab'.repeat(32) as Hash;

/** `count` transactions that share one signature. */
function tree(count: number, label: number): Transaction[] {
  const built = Array.from({ length: count }, (_, index) =>
    buildTransaction(sha256, {
      ...{ chainId, sender: 'alice' as MemberId, keyId: 0, kind: 'recordPut', lastValidHeight: 100 },
      scopes: ['cd'.repeat(32) as LogId],
      parts: [{ scope: 0, salt: new Uint8Array(32).fill(label), content: new Uint8Array([index, count]) }],
    }),
  );
  return signTransactions(sha256, signer, built).map(signed => {
    const transaction = decodeTransaction(sha256, encodeSignedTransaction(signed));
    if (isReject(transaction)) throw new Error(transaction.detail);
    return transaction;
  });
}

/** The same transaction with another batch path. */
function withBatch(transaction: Transaction, change: Partial<Transaction['signed']['batch']>): Transaction {
  const { signed } = transaction;
  return { ...transaction, signed: { ...signed, batch: { ...signed.batch, ...change } } };
}

/** Every way in which one path can be wrong. */
function* wrongOnes(transaction: Transaction): Generator<Transaction> {
  const { path, index, treeSize } = transaction.signed.batch;
  for (const [at, hash] of path.entries()) {
    const flipped = `${hash[0] === '0' ? '1' : '0'}${hash.slice(1)}` as Hash;
    yield withBatch(transaction, { path: path.with(at, flipped) });
  }
  yield withBatch(transaction, { path: [...path, chainId] });
  if (path.length > 0) yield withBatch(transaction, { path: path.slice(1) });
  if (path.length > 1) yield withBatch(transaction, { path: [...path].reverse() });
  yield withBatch(transaction, { index: index === 0 ? 1 : index - 1 });
  yield withBatch(transaction, { treeSize: treeSize + 1 });
  yield withBatch(transaction, { index: treeSize });
}

describe('trees of signatures', () => {
  it('accepts every transaction of trees of all sizes, in any order', () => {
    for (let size = 1; size <= 64; size += 1) {
      const verify = createTreeVerifier(nodeSuite);
      const transactions = tree(size, 1);
      // steps of 37 visit all: 37 is prime and above half of the sizes that it would divide
      for (let at = 0; at < size; at += 1) {
        const transaction = transactions[(at * 37) % size]!;
        if (size % 37 === 0) continue;
        expect(verify(transaction, signer.publicKey), `${at} of ${size}`).toBe(true);
      }
    }
  });

  it('[92] gives the verdict of a verifier that remembers nothing, whatever it has seen before', () => {
    for (const size of [1, 2, 3, 7, 13, 64]) {
      const transactions = tree(size, 2);
      const verify = createTreeVerifier(nodeSuite);
      for (const [position, transaction] of transactions.entries()) {
        for (const wrong of wrongOnes(transaction)) {
          const verdict = verifyTransactionSignature(nodeSuite, wrong, signer.publicKey);
          expect(verify(wrong, signer.publicKey), `${position} of ${size}, before`).toBe(verdict);
        }
        expect(verify(transaction, signer.publicKey)).toBe(true);
        for (const wrong of wrongOnes(transaction)) {
          expect(verify(wrong, signer.publicKey), `${position} of ${size}, after`).toBe(false);
        }
        expect(verify(transaction, other.publicKey), 'another key').toBe(false);
      }
    }
  });

  it('refuses a transaction that stands in no tree, with the path of one that does', () => {
    const [first, second] = tree(8, 3);
    const [stranger] = tree(8, 4);
    const verify = createTreeVerifier(nodeSuite);
    expect(verify(first!, signer.publicKey)).toBe(true);
    expect(verify(second!, signer.publicKey)).toBe(true);
    const forged: Transaction = { ...first!, id: stranger!.id };
    expect(verify(forged, signer.publicKey)).toBe(false);
    expect(verify({ ...second!, body: { ...second!.body, keyId: 1 } }, signer.publicKey)).toBe(false);
  });

  it('hashes each node of a tree once, and verifies one signature', () => {
    let hashes = 0;
    let signatures = 0;
    const counted: Sha256 = bytes => {
      hashes += 1;
      return sha256(bytes);
    };
    const suite = {
      ...nodeSuite,
      sha256: counted,
      verify: (...given: Parameters<typeof nodeSuite.verify>) => {
        signatures += 1;
        return nodeSuite.verify(...given);
      },
    };
    const transactions = tree(64, 5);
    const verify = createTreeVerifier(suite);
    for (const transaction of transactions) expect(verify(transaction, signer.publicKey)).toBe(true);
    expect(signatures).toBe(1);
    // 64 leaves and 63 nodes, and the first path once more: when it was climbed to find the root
    expect(hashes).toBe(64 + 63 + 7);
  });
});
