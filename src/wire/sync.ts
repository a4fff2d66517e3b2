import { isReject, type Reject, reject } from '../core/base/reject.ts';
import {
  decodeBlock,
  decodeCertificate,
  decodeValidatorSet,
  encodeBlock,
  encodeCertificate,
  encodeValidatorSet,
} from '../core/codec/chain.ts';
import type { SetChange } from '../core/light/trust.ts';
import type { SnapshotChunk, SnapshotRequest } from '../core/snapshot/chunks.ts';
import {
  decodeSnapshotChunk,
  decodeSnapshotRequest,
  encodeSnapshotChunk,
  encodeSnapshotRequest,
} from '../core/snapshot/codec.ts';
import type { Block, Certificate, CertifiedHeader } from '../core/types/chain.ts';
import { LIMITS } from '../core/types/limits.ts';
import { fromLong, ownBytes, toLong, wireCodec } from './codec.ts';
import { phaseline } from './generated/messages.js';
import { decodeCertified, encodeCertified } from './light-answer.ts';

export const SYNC_WIRE_LIMITS = {
  /** Blocks in one answer. */
  blocksPerAnswer: 256,
  /** Set changes in one offer. */
  setChangesPerOffer: 64,
} as const;

export interface BlocksQuery {
  readonly fromHeight: number;
  readonly blocksMax: number;
  readonly bytesMax: number;
}

export type SyncRequest =
  | ({ readonly kind: 'blocks' } & BlocksQuery)
  | { readonly kind: 'offer'; readonly knownHeight: number }
  | { readonly kind: 'chunk'; readonly request: SnapshotRequest };

/** A block with its proof and the encoded wrappers of its entries, in order. */
export interface SyncBlock {
  readonly block: Block;
  readonly certificate: Certificate;
  readonly transactions: readonly Uint8Array[];
}

export interface BlocksAnswer {
  readonly headHeight: number;
  /** Lowest height of which the sender has the transactions. */
  readonly bodiesFrom: number;
  readonly blocks: readonly SyncBlock[];
}

export interface SnapshotOffer {
  /** 0 when there is none. */
  readonly snapshotHeight: number;
  readonly changes: readonly SetChange[];
  readonly certified: CertifiedHeader | null;
}

export type SyncAnswer =
  | ({ readonly kind: 'blocks' } & BlocksAnswer)
  | ({ readonly kind: 'offer' } & SnapshotOffer)
  | { readonly kind: 'chunk'; readonly chunk: SnapshotChunk };

const undecodable = (what: string) => reject('undecodable', `sync: ${what}`);

export const syncHeadCodec = wireCodec<phaseline.SyncHead.$Properties, number>(
  'sync head',
  phaseline.SyncHead,
  height => ({ height: toLong(height) }),
  wire => fromLong(wire.height) ?? undecodable('height above 2^53 - 1'),
);

export const syncRequestCodec = wireCodec<phaseline.SyncRequest.$Properties, SyncRequest>(
  'sync request',
  phaseline.SyncRequest,
  request => {
    if (request.kind === 'offer') return { offer: { knownHeight: toLong(request.knownHeight) } };
    if (request.kind === 'chunk') return { chunk: encodeSnapshotRequest(request.request) };
    const { fromHeight, blocksMax, bytesMax } = request;
    return { blocks: { fromHeight: toLong(fromHeight), blocksMax, bytesMax } };
  },
  ({ blocks, offer, chunk }) => {
    if (blocks) {
      const fromHeight = fromLong(blocks.fromHeight);
      if (fromHeight === null) return undecodable('height above 2^53 - 1');
      const { blocksMax, bytesMax } = blocks;
      return { kind: 'blocks', fromHeight, blocksMax: blocksMax ?? 0, bytesMax: bytesMax ?? 0 };
    }
    if (offer) {
      const knownHeight = fromLong(offer.knownHeight);
      return knownHeight === null ? undecodable('height above 2^53 - 1') : { kind: 'offer', knownHeight };
    }
    const request = decodeSnapshotRequest(ownBytes(chunk));
    return isReject(request) ? request : { kind: 'chunk', request };
  },
);

function blockOf(wire: phaseline.SyncBlock.$Properties): SyncBlock | Reject {
  const block = decodeBlock(ownBytes(wire.block));
  if (isReject(block)) return block;
  const certificate = decodeCertificate(ownBytes(wire.certificate));
  if (isReject(certificate)) return certificate;
  const transactions = wire.transactions ?? [];
  if (transactions.length > LIMITS.blockEntries || transactions.length !== block.entries.length) {
    return undecodable('bodies and entries differ in number');
  }
  return { block, certificate, transactions: transactions.map(ownBytes) };
}

function blocksOf(wire: phaseline.SyncBlocks.$Properties): SyncAnswer | Reject {
  const headHeight = fromLong(wire.headHeight);
  const bodiesFrom = fromLong(wire.bodiesFrom);
  if (headHeight === null || bodiesFrom === null) return undecodable('height above 2^53 - 1');
  const list = wire.blocks ?? [];
  if (list.length > SYNC_WIRE_LIMITS.blocksPerAnswer) return undecodable('too many blocks');
  const blocks: SyncBlock[] = [];
  for (const entry of list) {
    const block = blockOf(entry);
    if (isReject(block)) return block;
    blocks.push(block);
  }
  return { kind: 'blocks', headHeight, bodiesFrom, blocks };
}

function setChangeOf(wire: phaseline.SyncSetChange.$Properties): SetChange | Reject {
  const certified = decodeCertified(ownBytes(wire.certified));
  if (isReject(certified)) return certified;
  const nextSet = decodeValidatorSet(ownBytes(wire.nextSet));
  return isReject(nextSet) ? nextSet : { certified, nextSet };
}

function offerOf(wire: phaseline.SyncOffer.$Properties): SyncAnswer | Reject {
  const snapshotHeight = fromLong(wire.snapshotHeight);
  if (snapshotHeight === null) return undecodable('height above 2^53 - 1');
  const list = wire.changes ?? [];
  if (list.length > SYNC_WIRE_LIMITS.setChangesPerOffer) return undecodable('too many set changes');
  const changes: SetChange[] = [];
  for (const entry of list) {
    const change = setChangeOf(entry);
    if (isReject(change)) return change;
    changes.push(change);
  }
  const bytes = ownBytes(wire.certified);
  const certified = bytes.length === 0 ? null : decodeCertified(bytes);
  return isReject(certified) ? certified : { kind: 'offer', snapshotHeight, changes, certified };
}

export const syncAnswerCodec = wireCodec<phaseline.SyncAnswer.$Properties, SyncAnswer>(
  'sync answer',
  phaseline.SyncAnswer,
  answer => {
    if (answer.kind === 'chunk') return { chunk: encodeSnapshotChunk(answer.chunk) };
    if (answer.kind === 'offer') {
      const changes = answer.changes.map(({ certified, nextSet }) => ({
        certified: encodeCertified(certified),
        nextSet: encodeValidatorSet(nextSet),
      }));
      const certified = answer.certified === null ? new Uint8Array(0) : encodeCertified(answer.certified);
      return { offer: { snapshotHeight: toLong(answer.snapshotHeight), changes, certified } };
    }
    const blocks = answer.blocks.map(({ block, certificate, transactions }) => ({
      block: encodeBlock(block),
      certificate: encodeCertificate(certificate),
      transactions: [...transactions],
    }));
    const { headHeight, bodiesFrom } = answer;
    return { blocks: { headHeight: toLong(headHeight), bodiesFrom: toLong(bodiesFrom), blocks } };
  },
  wire => {
    if (wire.blocks) return blocksOf(wire.blocks);
    if (wire.offer) return offerOf(wire.offer);
    const chunk = decodeSnapshotChunk(ownBytes(wire.chunk));
    return isReject(chunk) ? chunk : { kind: 'chunk', chunk };
  },
);
