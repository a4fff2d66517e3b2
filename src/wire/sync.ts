import { isReject, type Reject, reject } from '../core/base/reject.ts';
import { decodeBlock, decodeCertificate, encodeBlock, encodeCertificate } from '../core/codec/chain.ts';
import type { Block, Certificate } from '../core/types/chain.ts';
import { LIMITS } from '../core/types/limits.ts';
import { fromLong, ownBytes, toLong, wireCodec } from './codec.ts';
import { phaseline } from './generated/messages.js';

export const SYNC_WIRE_LIMITS = {
  /** Blocks in one answer. */
  blocksPerAnswer: 256,
} as const;

export interface SyncRequest {
  readonly fromHeight: number;
  readonly blocksMax: number;
  readonly bytesMax: number;
}

/** A block with its proof and the encoded wrappers of its entries, in order. */
export interface SyncBlock {
  readonly block: Block;
  readonly certificate: Certificate;
  readonly transactions: readonly Uint8Array[];
}

export interface SyncAnswer {
  readonly headHeight: number;
  readonly blocks: readonly SyncBlock[];
}

export const syncHeadCodec = wireCodec<phaseline.SyncHead.$Properties, number>(
  'sync head',
  phaseline.SyncHead,
  height => ({ height: toLong(height) }),
  wire => fromLong(wire.height) ?? reject('undecodable', 'sync head: height above 2^53 - 1'),
);

export const syncRequestCodec = wireCodec<phaseline.SyncRequest.$Properties, SyncRequest>(
  'sync request',
  phaseline.SyncRequest,
  request => ({
    fromHeight: toLong(request.fromHeight),
    blocksMax: request.blocksMax,
    bytesMax: request.bytesMax,
  }),
  wire => {
    const fromHeight = fromLong(wire.fromHeight);
    if (fromHeight === null) return reject('undecodable', 'sync request: height above 2^53 - 1');
    return { fromHeight, blocksMax: wire.blocksMax ?? 0, bytesMax: wire.bytesMax ?? 0 };
  },
);

function blockOf(wire: phaseline.SyncBlock.$Properties): SyncBlock | Reject {
  const block = decodeBlock(ownBytes(wire.block));
  if (isReject(block)) return block;
  const certificate = decodeCertificate(ownBytes(wire.certificate));
  if (isReject(certificate)) return certificate;
  const transactions = wire.transactions ?? [];
  if (transactions.length > LIMITS.blockEntries || transactions.length !== block.entries.length) {
    return reject('undecodable', 'sync block: bodies and entries differ in number');
  }
  return { block, certificate, transactions: transactions.map(ownBytes) };
}

export const syncAnswerCodec = wireCodec<phaseline.SyncAnswer.$Properties, SyncAnswer>(
  'sync answer',
  phaseline.SyncAnswer,
  answer => ({
    headHeight: toLong(answer.headHeight),
    blocks: answer.blocks.map(({ block, certificate, transactions }) => ({
      block: encodeBlock(block),
      certificate: encodeCertificate(certificate),
      transactions: [...transactions],
    })),
  }),
  wire => {
    const headHeight = fromLong(wire.headHeight);
    if (headHeight === null) return reject('undecodable', 'sync answer: height above 2^53 - 1');
    const list = wire.blocks ?? [];
    if (list.length > SYNC_WIRE_LIMITS.blocksPerAnswer) return reject('undecodable', 'sync answer: too many');
    const blocks: SyncBlock[] = [];
    for (const entry of list) {
      const block = blockOf(entry);
      if (isReject(block)) return block;
      blocks.push(block);
    }
    return { headHeight, blocks };
  },
);
