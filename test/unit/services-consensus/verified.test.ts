import { describe, expect, it } from 'vitest';
import type { Hash } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { batchLeaf } from '../../../src/core/codec/build.ts';
import { decodeTransaction, transactionSigningBytes } from '../../../src/core/codec/transaction.ts';
import type { Transaction } from '../../../src/core/types/transaction.ts';
import { nodeSuite, verifyAside } from '../../../src/crypto/suite.ts';
import { rememberingSuite, VerifiedTransactions } from '../../../src/services/pool/verified.ts';
import { makeWrapper, newSender, type Sender } from './transactions.ts';

const chainId = 'c'.repeat(64) as Hash;
const alice = newSender('alice');
const bob = newSender('bob');

/** Signed as members sign: a tree of one. */
function signedBy(sender: Sender, text: string): Transaction {
  const transaction = decodeTransaction(nodeSuite.sha256, makeWrapper(sender, { chainId, text }));
  if (isReject(transaction)) throw new Error(transaction.detail);
  const root = batchLeaf(nodeSuite.sha256, transaction.id);
  const signature = sender.signer.sign(transactionSigningBytes(chainId, 0, 1, root));
  return { ...transaction, signed: { ...transaction.signed, signature } };
}

describe('remembered signatures', () => {
  it('verifies a good signature once, and a bad one never becomes good', () => {
    let calls = 0;
    const suite = rememberingSuite(
      {
        ...nodeSuite,
        verify: (...input) => {
          calls += 1;
          return nodeSuite.verify(...input);
        },
      },
      2,
    );
    const message = new Uint8Array([1]);
    const { signer } = alice;
    const signature = signer.sign(message);
    expect([1, 2, 3].map(() => suite.verify(signer.publicKey, message, signature))).toEqual([
      true,
      true,
      true,
    ]);
    expect(calls).toBe(1);
    expect(suite.verify(signer.publicKey, new Uint8Array([2]), signature)).toBe(false);
    expect(suite.verify(bob.signer.publicKey, message, signature)).toBe(false);
    expect(calls).toBe(3);
  });
});

describe('transactions that are verified aside', () => {
  it('[92] have the verdict of the one rule, once each, under the key that was asked for', async () => {
    let calls = 0;
    const suite = {
      ...nodeSuite,
      verify: (...input: Parameters<typeof nodeSuite.verify>) => {
        calls += 1;
        return nodeSuite.verify(...input);
      },
    };
    const verified = new VerifiedTransactions(suite, 128, verifyAside);
    const good = Array.from({ length: 100 }, (_, index) => signedBy(alice, `${index}`));
    const key = alice.signer.publicKey;
    const forged = signedBy({ ...bob, id: alice.id }, 'forged');
    const waits = [...good, forged].map(transaction => verified.ahead(transaction, key));
    expect(waits).not.toContain(null);
    await Promise.all(waits);
    expect(good.every(transaction => verified.verify(transaction, key))).toBe(true);
    expect(verified.verify(forged, key)).toBe(false);
    expect(calls).toBe(0);
    // neither verdict says anything about another key
    expect(verified.verify(forged, bob.signer.publicKey)).toBe(true);
    expect(verified.verify(good[0] as Transaction, bob.signer.publicKey)).toBe(false);
    expect(calls).toBe(2);
    expect(verified.ahead(good[0] as Transaction, key)).toBeNull();
  });

  it('have no verdict without an accepted form', async () => {
    const message = new Uint8Array([1]);
    const { signer } = alice;
    const verdict = (publicKey: Uint8Array, signature: Uint8Array) =>
      new Promise<boolean>(resolve => verifyAside(publicKey, message, signature, resolve));
    const signature = signer.sign(message);
    expect(await verdict(signer.publicKey, signature)).toBe(true);
    expect(await verdict(bob.signer.publicKey, signature)).toBe(false);
    expect(await verdict(signer.publicKey, signature.slice(1))).toBe(false);
    expect(await verdict(new Uint8Array(33), signature)).toBe(false);
  });
});
