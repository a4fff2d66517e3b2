import type { Hash, LogId, MemberId, Sha256, TransactionId } from '../base/ids.ts';
import { isMemberId } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { LIMITS, SIZES } from '../types/limits.ts';
import type {
  BatchPath,
  Leaf,
  Part,
  SignedTransaction,
  Transaction,
  TransactionBody,
} from '../types/transaction.ts';
import { Reader } from './reader.ts';
import { tagBytes } from './tags.ts';
import { Writer } from './writer.ts';

export const SCOPE_KINDS = { system: 0, project: 1, phase: 2 } as const;

/** @param id the project's or phase's id; the chain id itself for the system scope */
export function logIdOf(sha256: Sha256, chainId: Hash, scope: keyof typeof SCOPE_KINDS, id: Hash): LogId {
  const writer = new Writer().raw(tagBytes('logId')).hash(chainId).u8(SCOPE_KINDS[scope]).hash(id);
  return writer.digest(sha256) as LogId;
}

export function encodeBody(body: TransactionBody): Uint8Array {
  return new Writer()
    .u16(body.version)
    .hash(body.chainId)
    .text(body.sender)
    .u32(body.keyId)
    .u16(body.kind)
    .u64(body.lastValidHeight)
    .list(body.scopes, (out, scope) => out.hash(scope))
    .list(body.parts, (out, part) => out.u8(part.scope).hash(part.hash))
    .finish();
}

export function decodeBody(bytes: Uint8Array): TransactionBody | Reject {
  const reader = new Reader(bytes);
  const body: TransactionBody = {
    version: reader.u16(),
    chainId: reader.hash(),
    sender: reader.text(32) as MemberId,
    keyId: reader.u32(),
    kind: reader.u16(),
    lastValidHeight: reader.u64(),
    scopes: reader.list(LIMITS.scopesPerTransaction, from => from.hash() as LogId),
    parts: reader.list(LIMITS.partsPerTransaction, from => ({ scope: from.u8(), hash: from.hash() })),
  };
  if (!reader.failed) {
    if (!isMemberId(body.sender)) reader.fail('sender is not a member id');
    if (new Set(body.scopes).size !== body.scopes.length) reader.fail('a scope is named twice');
    if (body.parts.some(part => part.scope >= body.scopes.length)) reader.fail('a part names no scope');
  }
  return reader.finish(body, 'transaction body');
}

export function bodyId(sha256: Sha256, body: Uint8Array): TransactionId {
  return new Writer().raw(tagBytes('transactionBody')).raw(body).digest(sha256);
}

export function partHash(sha256: Sha256, part: Part): Hash {
  return new Writer().raw(tagBytes('part')).raw(part.salt).raw(part.content).digest(sha256);
}

/** The bytes that a member signs: one id, or the RFC 9162 root of up to 64 (DESIGN.md section 4). */
export function transactionSigningBytes(
  chainId: Hash,
  keyId: number,
  treeSize: number,
  root: Hash,
): Uint8Array {
  const writer = new Writer().raw(tagBytes('transactionSignature'));
  return writer.hash(chainId).u32(keyId).u32(treeSize).hash(root).finish();
}

export function writeBatchPath(writer: Writer, batch: BatchPath): void {
  writer.u32(batch.treeSize).u32(batch.index);
  writer.list(batch.path, (out, hash) => out.hash(hash));
}

export function readBatchPath(reader: Reader): BatchPath {
  return {
    treeSize: reader.u32(),
    index: reader.u32(),
    path: reader.list(LIMITS.batchPathLength, from => from.hash()),
  };
}

export function writePart(writer: Writer, part: Part): void {
  writer.fixed(part.salt, SIZES.salt).bytes(part.content);
}

export function readPart(reader: Reader): Part {
  return { salt: reader.fixed(SIZES.salt), content: reader.bytes(LIMITS.partBytes) };
}

export function encodeSignedTransaction(signed: SignedTransaction): Uint8Array {
  const writer = new Writer().bytes(signed.body).fixed(signed.signature, SIZES.signature);
  writeBatchPath(writer, signed.batch);
  return writer
    .list(signed.parts, (out, part) => {
      out.bool(part !== null);
      if (part !== null) writePart(out, part);
    })
    .finish();
}

export function decodeSignedTransaction(bytes: Uint8Array): SignedTransaction | Reject {
  const reader = new Reader(bytes);
  const body = reader.bytes(LIMITS.bodyBytes);
  const signature = reader.fixed(SIZES.signature);
  const batch = readBatchPath(reader);
  const parts = reader.list(LIMITS.partsPerTransaction, from => (from.bool() ? readPart(from) : null));
  return reader.finish({ body, signature, batch, parts }, 'signed transaction');
}

/**
 * Identity of the wrapper: body, signature and batch path, which is all that proves authorship. Parts are left out: the
 * body commits to them, and one that is deleted later must not change the block.
 */
export function wrapperHash(sha256: Sha256, signed: SignedTransaction): Hash {
  const writer = new Writer().raw(tagBytes('transactionWrapper')).bytes(signed.body);
  writer.fixed(signed.signature, SIZES.signature);
  writeBatchPath(writer, signed.batch);
  return writer.digest(sha256);
}

/**
 * Decodes a wrapper whole and checks what needs no state: structure, and each present part against its hash.
 * The signature is checked by `verifyTransactionSignature` (core/ledger).
 */
export function decodeTransaction(sha256: Sha256, bytes: Uint8Array): Transaction | Reject {
  if (bytes.length > LIMITS.transactionBytes) return reject('transaction_too_large', `${bytes.length} bytes`);
  const signed = decodeSignedTransaction(bytes);
  if (isReject(signed)) return signed;
  const body = decodeBody(signed.body);
  if (isReject(body)) return body;
  if (signed.parts.length !== body.parts.length)
    return reject('malformed', 'part count differs from the body');
  for (const [index, part] of signed.parts.entries()) {
    if (part !== null && partHash(sha256, part) !== body.parts[index]!.hash) {
      return reject('malformed', `part ${index} does not match its hash`);
    }
  }
  const id = bodyId(sha256, signed.body);
  return { id, wrapperHash: wrapperHash(sha256, signed), body, signed, bytes: bytes.length };
}

export function encodeLeaf(leaf: Leaf): Uint8Array {
  return new Writer()
    .raw(tagBytes('leaf'))
    .hash(leaf.logId)
    .u64(leaf.position)
    .u64(leaf.height)
    .u64(leaf.timeMs)
    .hash(leaf.transactionId)
    .u16(leaf.outcome)
    .finish();
}

export function decodeLeaf(bytes: Uint8Array): Leaf | Reject {
  const reader = new Reader(bytes);
  const tag = tagBytes('leaf');
  const found = reader.fixed(tag.length);
  if (found.some((byte, index) => byte !== tag[index])) reader.fail('not a leaf');
  const leaf: Leaf = {
    logId: reader.hash() as LogId,
    position: reader.u64(),
    height: reader.u64(),
    timeMs: reader.u64(),
    transactionId: reader.hash(),
    outcome: reader.u16(),
  };
  return reader.finish(leaf, 'leaf');
}
