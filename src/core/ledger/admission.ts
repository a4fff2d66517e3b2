import type { Hash, Suite } from '../base/ids.ts';
import { type Reject, reject } from '../base/reject.ts';
import { VERSIONS } from '../types/limits.ts';
import type { StateView, SystemState } from '../types/state.ts';
import type { Transaction } from '../types/transaction.ts';
import { findMember, readChainId, readSystem } from './read.ts';
import { type VerifyTransaction, verifyTransactionSignature } from './signature.ts';

/** The state that admission is judged by: that of the block before. */
export interface AdmissionState {
  readonly chainId: Hash;
  readonly system: SystemState;
  readonly headHeight: number;
  readonly view: StateView;
  readonly verify: VerifyTransaction;
}

/** Window and size: what needs no look at the sender. `headHeight + 1` is the next block that could contain it. */
function checkWrapper(state: AdmissionState, transaction: Transaction): Reject | null {
  const { body, bytes, signed } = transaction;
  const { transactionBytesMax, replayWindowBlocks } = state.system.parameters;
  const lastValid = body.lastValidHeight;
  if (body.chainId !== state.chainId) return reject('wrong_chain', `chain ${body.chainId}`);
  if (body.version !== VERSIONS.transaction) return reject('unsupported_version', `version ${body.version}`);
  if (bytes > transactionBytesMax) {
    return reject('transaction_too_large', `${bytes} bytes, at most ${transactionBytesMax}`);
  }
  if (signed.parts.includes(null)) return reject('parts_missing', transaction.id);
  if (lastValid <= state.headHeight) {
    return reject('expired', `valid to height ${lastValid}, head ${state.headHeight}`, 'ignore');
  }
  if (lastValid > state.headHeight + replayWindowBlocks) {
    const limit = `at most ${replayWindowBlocks} above head ${state.headHeight}`;
    return reject('too_far_ahead', `valid to height ${lastValid}, ${limit}`, 'ignore');
  }
  return null;
}

function checkSender(state: AdmissionState, transaction: Transaction): Reject | null {
  const { sender, keyId } = transaction.body;
  const member = findMember(state.system, sender);
  if (member === null) return reject('unknown_sender', sender, 'ignore');
  if (member.revoked) return reject('sender_revoked', sender, 'ignore');
  const key = member.keys[keyId];
  if (key === undefined) return reject('unknown_key', `key ${keyId} of ${sender}`, 'ignore');
  if (keyId !== member.keys.length - 1) return reject('revoked_key', `key ${keyId} of ${sender}`, 'ignore');
  return state.verify(transaction, key.signingKey) ? null : reject('bad_signature', transaction.id);
}

/** Why no block on top of this state may contain the transaction; cheap checks first, the signature last. */
export function checkAdmissible(state: AdmissionState, transaction: Transaction): Reject | null {
  const fault = checkWrapper(state, transaction);
  if (fault !== null) return fault;
  const seen = state.view.seen(transaction.id);
  if (seen !== null) return reject('duplicate', `in block ${seen}`, 'ignore');
  return checkSender(state, transaction);
}

/**
 * What the pool asks before it takes a transaction; execution applies the same rules.
 * @param headHeight height of the block that `view` is the state of
 * @param verify the signature's verdict; by default it is computed here
 */
export function checkAdmission(
  suite: Suite,
  view: StateView,
  headHeight: number,
  transaction: Transaction,
  verify?: VerifyTransaction,
): Reject | null {
  const state: AdmissionState = {
    chainId: readChainId(view),
    system: readSystem(view),
    headHeight,
    view,
    verify: verify ?? ((candidate, key) => verifyTransactionSignature(suite, candidate, key)),
  };
  return checkAdmissible(state, transaction);
}
