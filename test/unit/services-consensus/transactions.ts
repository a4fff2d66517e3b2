import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';
import type { Hash, LogId, MemberId } from '../../../src/core/base/ids.ts';
import {
  bodyId,
  encodeBody,
  encodeSignedTransaction,
  partHash,
  transactionSigningBytes,
} from '../../../src/core/codec/transaction.ts';
import type { Transaction } from '../../../src/core/types/transaction.ts';
import { generateSigningKey, p256Signer } from '../../../src/crypto/signer.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import type { Signer } from '../../../src/ports/signer.ts';

const { sha256 } = nodeSuite;

export interface Sender {
  readonly id: MemberId;
  readonly signer: Signer;
}

export function newSender(id: string): Sender {
  return { id: id as MemberId, signer: p256Signer(generateSigningKey()) };
}

/** A plain signed wrapper whose content the ledger may not understand: what the pool handles. */
export function makeWrapper(
  sender: Sender,
  options: { chainId: Hash; text: string; lastValidHeight?: number; bytes?: number },
): Uint8Array {
  const part = {
    salt: new Uint8Array(32),
    content: concatBytes(utf8(options.text), new Uint8Array(options.bytes ?? 0)),
  };
  const body = encodeBody({
    version: 1,
    chainId: options.chainId,
    sender: sender.id,
    keyId: 0,
    kind: 16,
    lastValidHeight: options.lastValidHeight ?? 50,
    scopes: [sha256(utf8('scope')) as LogId],
    parts: [{ scope: 0, hash: partHash(sha256, part) }],
  });
  const signature = sender.signer.sign(transactionSigningBytes(options.chainId, 0, 1, bodyId(sha256, body)));
  return encodeSignedTransaction({
    body,
    signature,
    batch: { treeSize: 1, index: 0, path: [] },
    parts: [part],
  });
}

export function verifyPlain(transaction: Transaction, publicKey: Uint8Array): boolean {
  const { body, id, signed } = transaction;
  return nodeSuite.verify(
    publicKey,
    transactionSigningBytes(body.chainId, body.keyId, 1, id),
    signed.signature,
  );
}
