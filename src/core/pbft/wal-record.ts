import { assertNever } from '../base/assert.ts';
import type { BlockHash } from '../base/ids.ts';
import { isReject, type Reject } from '../base/reject.ts';
import { encodeBlock, readBlock } from '../codec/chain.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
import type { Block } from '../types/chain.ts';
import {
  decodeMessage,
  readPreparedProof,
  readSignedMessage,
  writePreparedProof,
  writeSignedMessage,
} from './message-codec.ts';
import type { ConsensusMessage, PreparedProof, SignedMessage } from './messages.ts';

/** Numbers in the log; never reused. */
const RECORD_KINDS = { message: 1, block: 2, prepared: 3, stable: 4 } as const;

/** What the write-ahead log holds, in the order in which it happened. */
export type WalRecord =
  /** An own signed message, or the PRE-PREPARE or NEW-VIEW that own votes rest on. */
  | { readonly type: 'message'; readonly message: ConsensusMessage }
  /** A block that a NEW-VIEW named and that was fetched. */
  | { readonly type: 'block'; readonly block: Block }
  | { readonly type: 'prepared'; readonly proof: PreparedProof }
  | {
      readonly type: 'stable';
      readonly validatorSetId: number;
      readonly height: number;
      readonly blockHash: BlockHash;
    };

export function encodeWalMessage(message: SignedMessage): Uint8Array {
  const writer = new Writer().u8(RECORD_KINDS.message);
  writeSignedMessage(writer, message);
  return writer.finish();
}

export function encodeWalRecord(record: WalRecord): Uint8Array {
  switch (record.type) {
    case 'message':
      return encodeWalMessage(record.message.signed);
    case 'block':
      return new Writer().u8(RECORD_KINDS.block).raw(encodeBlock(record.block)).finish();
    case 'prepared': {
      const writer = new Writer().u8(RECORD_KINDS.prepared);
      writePreparedProof(writer, record.proof);
      return writer.finish();
    }
    case 'stable':
      return new Writer()
        .u8(RECORD_KINDS.stable)
        .u64(record.validatorSetId)
        .u64(record.height)
        .hash(record.blockHash)
        .finish();
    default:
      return assertNever(record);
  }
}

/** A Reject means that the log is damaged or of another version: the node must not start. */
export function decodeWalRecord(bytes: Uint8Array): WalRecord | Reject {
  const reader = new Reader(bytes);
  const kind = reader.u8();
  if (kind === RECORD_KINDS.message) {
    const signed = reader.finish(readSignedMessage(reader), 'log record');
    if (isReject(signed)) return signed;
    const message = decodeMessage(signed);
    return isReject(message) ? message : { type: 'message', message };
  }
  if (kind === RECORD_KINDS.block)
    return reader.finish({ type: 'block' as const, block: readBlock(reader) }, 'log record');
  if (kind === RECORD_KINDS.prepared)
    return reader.finish({ type: 'prepared' as const, proof: readPreparedProof(reader) }, 'log record');
  if (kind !== RECORD_KINDS.stable) reader.fail('unknown record kind');
  const stable = {
    type: 'stable' as const,
    validatorSetId: reader.u64(),
    height: reader.u64(),
    blockHash: reader.hash(),
  };
  return reader.finish(stable, 'log record');
}
