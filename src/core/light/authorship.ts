import { EVIDENCE_SENDER } from '../access/evidence.ts';
import type { Suite } from '../base/ids.ts';
import { type Reject, reject } from '../base/reject.ts';
import { findMember } from '../ledger/read.ts';
import { type VerifyTransaction, verifyTransactionSignature } from '../ledger/signature.ts';
import { KINDS } from '../types/operation.ts';
import type { MemberKey, SystemState } from '../types/state.ts';
import type { Leaf, Transaction } from '../types/transaction.ts';

/** A key that a block ends holds for that whole block: `untilHeight` is the first height without it, 0 while it is open. */
export function isValidAt(key: MemberKey, height: number): boolean {
  return key.fromHeight <= height && (key.untilHeight === 0 || height < key.untilHeight);
}

/**
 * The sender wrote this: its key was valid at the leaf's height and signed the id, in a batch or alone [91].
 * @param system the members, or the one, as of the head or any later one, sorted by id: key histories only grow
 * @param verify the verdict on a signature; by default the plain one, a shell may bring one that remembers batches
 */
export function checkAuthorship(
  suite: Suite,
  system: Pick<SystemState, 'members'>,
  leaf: Leaf,
  transaction: Transaction,
  verify: VerifyTransaction = (signed, key) => verifyTransactionSignature(suite, signed, key),
): Reject | null {
  const { sender, keyId } = transaction.body;
  if (transaction.id !== leaf.transactionId) {
    return reject('wrong_transaction', `leaf ${leaf.position} names another transaction`);
  }
  // Evidence has no author: it proved itself to the validators who recorded it.
  if (sender === EVIDENCE_SENDER.id && transaction.body.kind === KINDS.evidence) return null;
  const member = findMember(system, sender);
  if (member === null) return reject('unknown_author', `no member ${sender}`);
  const key = member.keys[keyId];
  if (key === undefined) return reject('unknown_key', `${sender} has no key ${keyId}`);
  if (!isValidAt(key, leaf.height)) {
    return reject('key_not_valid', `key ${keyId} of ${sender} was not valid at height ${leaf.height}`);
  }
  if (!verify(transaction, key.signingKey)) {
    return reject('bad_signature', `not signed by key ${keyId} of ${sender}`);
  }
  return null;
}
