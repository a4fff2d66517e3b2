import { concatBytes, hashBytes, toHex } from '../core/base/bytes.ts';
import type { Hash, PhaseId } from '../core/base/ids.ts';
import { isReject, type Reject, reject } from '../core/base/reject.ts';
import { LIMITS } from '../core/types/limits.ts';
import { fromLong, ownBytes, toLong, type WireCodec, wireCodec } from './codec.ts';
import { phaseline } from './generated/messages.js';

export const FILES_WIRE_LIMITS = {
  /** Blocks of one file asked for in one request. */
  blocksPerRequest: 16,
  /** Files that one request asks about, asks for, or offers. */
  filesPerRequest: 256,
  /** A block as `unixfs-v1-2025` cuts it is 1 MiB; no IPFS node takes more than twice that. */
  blockBytes: 2 * 1024 * 1024,
  nonceBytes: 32,
} as const;

const EXTENTS = ['none', 'partial', 'whole', 'purged'] as const;
export type Extent = (typeof EXTENTS)[number];

/** A file as its author offers it before a record names it. */
export interface OfferedFile {
  readonly cid: string;
  readonly ciphertextBytes: number;
  readonly keyCommitment: Hash;
}

/** The asker names the phase as whose participant it asks. */
export type FilesRequest = { readonly phase: PhaseId } & (
  | { readonly kind: 'have'; readonly roots: readonly string[] }
  | { readonly kind: 'get'; readonly root: string; readonly cids: readonly string[] }
  | { readonly kind: 'small'; readonly roots: readonly string[] }
  | {
      readonly kind: 'prove';
      readonly root: string;
      readonly cids: readonly string[];
      readonly nonce: Uint8Array;
    }
  | { readonly kind: 'offer'; readonly files: readonly OfferedFile[] }
);

export type RequestOf<K extends FilesRequest['kind']> = FilesRequest & { readonly kind: K };

export interface FilesBlock {
  readonly cid: string;
  readonly bytes: Uint8Array;
}

export type FilesAnswer =
  | { readonly kind: 'holding'; readonly extents: readonly Extent[] }
  | { readonly kind: 'blocks'; readonly blocks: readonly FilesBlock[]; readonly absent: readonly string[] }
  /** Null when the prover lacks a block. */
  | { readonly kind: 'proof'; readonly digest: Uint8Array | null }
  | { readonly kind: 'taken'; readonly indexes: readonly number[] };

/** An answer without the bytes of its blocks. */
type AnswerHead =
  | Exclude<FilesAnswer, { readonly kind: 'blocks' }>
  | {
      readonly kind: 'blocks';
      readonly blocks: readonly { readonly cid: string; readonly length: number }[];
      readonly absent: readonly string[];
    };

const HEAD_BYTES = 4;

type WireRequest = phaseline.FilesRequest.$Properties;
type WireAnswer = phaseline.FilesAnswer.$Properties;

const undecodable = (what: string): Reject => reject('undecodable', `files: ${what}`);

function isCidLength(text: string): boolean {
  return text.length > 0 && text.length <= LIMITS.cidBytes;
}

function areCids(texts: readonly string[] | null | undefined, countMax: number): texts is readonly string[] {
  return texts != null && texts.length > 0 && texts.length <= countMax && texts.every(isCidLength);
}

const { blocksPerRequest, filesPerRequest, blockBytes, nonceBytes } = FILES_WIRE_LIMITS;

function requestToWire(request: FilesRequest): WireRequest {
  const phase = hashBytes(request.phase);
  switch (request.kind) {
    case 'have':
      return { phase, have: { roots: [...request.roots] } };
    case 'get':
      return { phase, get: { root: request.root, cids: [...request.cids] } };
    case 'small':
      return { phase, small: { roots: [...request.roots] } };
    case 'prove':
      return { phase, prove: { root: request.root, cids: [...request.cids], nonce: request.nonce } };
    case 'offer': {
      const files = request.files.map(({ cid, ciphertextBytes, keyCommitment }) => ({
        cid,
        ciphertextBytes: toLong(ciphertextBytes),
        keyCommitment: hashBytes(keyCommitment),
      }));
      return { phase, offer: { files } };
    }
  }
}

function offerFromWire(phase: PhaseId, offer: phaseline.FilesOffer.$Properties): FilesRequest | Reject {
  const list = offer.files ?? [];
  if (list.length === 0 || list.length > filesPerRequest) return undecodable('an offer has 1 to 256 files');
  const files: OfferedFile[] = [];
  for (const entry of list) {
    const cid = entry.cid ?? '';
    const ciphertextBytes = fromLong(entry.ciphertextBytes);
    if (!isCidLength(cid) || ciphertextBytes === null || entry.keyCommitment?.length !== 32) {
      return undecodable('an offered file has CID, length and key commitment');
    }
    files.push({ cid, ciphertextBytes, keyCommitment: toHex(entry.keyCommitment) as Hash });
  }
  return { phase, kind: 'offer', files };
}

function requestFromWire(wire: WireRequest): FilesRequest | Reject {
  if (wire.phase?.length !== 32) return undecodable('a request names its phase');
  const phase = toHex(wire.phase) as PhaseId;
  const { have, get, small, prove, offer } = wire;
  if (have || small) {
    const roots = (have ?? small)?.roots;
    if (!areCids(roots, filesPerRequest)) return undecodable('a request asks for 1 to 256 files');
    return { phase, kind: have ? 'have' : 'small', roots };
  }
  if (get || prove) {
    const root = (get ?? prove)?.root ?? '';
    const cids = (get ?? prove)?.cids;
    if (!isCidLength(root) || !areCids(cids, blocksPerRequest)) {
      return undecodable('a request asks for 1 to 16 blocks of one file');
    }
    if (get) return { phase, kind: 'get', root, cids };
    const nonce = ownBytes(prove?.nonce);
    return nonce.length === nonceBytes
      ? { phase, kind: 'prove', root, cids, nonce }
      : undecodable('a challenge has a nonce of 32 bytes');
  }
  return offer ? offerFromWire(phase, offer) : undecodable('a request asks for something');
}

export const filesRequestCodec = wireCodec<WireRequest, FilesRequest>(
  'files request',
  phaseline.FilesRequest,
  requestToWire,
  requestFromWire,
);

function answerToWire(answer: AnswerHead): WireAnswer {
  switch (answer.kind) {
    case 'holding':
      return { holding: { extents: answer.extents.map(extent => EXTENTS.indexOf(extent)) } };
    case 'blocks': {
      const blocks = answer.blocks.map(({ cid, length }) => ({ cid, length }));
      return { blocks: { blocks, absent: [...answer.absent] } };
    }
    case 'proof':
      return { proof: answer.digest === null ? {} : { digest: answer.digest } };
    case 'taken':
      return { taken: { indexes: [...answer.indexes] } };
  }
}

/** Lengths only: the bytes stand behind the message. */
function blocksFromWire(wire: phaseline.FilesBlocks.$Properties): AnswerHead | Reject {
  const list = wire.blocks ?? [];
  const absent = wire.absent ?? [];
  const blocks = list.map(block => ({ cid: block.cid ?? '', length: block.length ?? 0 }));
  const named = [...absent, ...blocks.map(block => block.cid)];
  if (named.length > filesPerRequest || !named.every(isCidLength)) {
    return undecodable('an answer has at most the blocks asked for');
  }
  if (blocks.some(({ length }) => length > blockBytes)) return undecodable('a block above its limit');
  return { kind: 'blocks', blocks, absent };
}

function answerFromWire(wire: WireAnswer): AnswerHead | Reject {
  const { holding, blocks, proof, taken } = wire;
  if (holding) {
    const numbers = holding.extents ?? [];
    const extents = numbers.flatMap(number => EXTENTS[number] ?? []);
    const sound = extents.length === numbers.length && numbers.length <= filesPerRequest;
    return sound ? { kind: 'holding', extents } : undecodable('unknown extent');
  }
  if (blocks) return blocksFromWire(blocks);
  if (proof) {
    const digest = ownBytes(proof.digest);
    if (digest.length !== 0 && digest.length !== 32) return undecodable('a proof is one digest');
    return { kind: 'proof', digest: digest.length === 0 ? null : digest };
  }
  const indexes = taken?.indexes ?? [];
  if (!taken || indexes.length > filesPerRequest) return undecodable('an answer says something');
  return { kind: 'taken', indexes };
}

const headCodec = wireCodec<WireAnswer, AnswerHead>(
  'files answer',
  phaseline.FilesAnswer,
  answerToWire,
  answerFromWire,
);

/** An answer as it is sent, in pieces: its blocks are not copied. */
export function filesAnswerPieces(answer: FilesAnswer): readonly Uint8Array[] {
  const blocks = answer.kind === 'blocks' ? answer.blocks : [];
  const lengths = blocks.map(({ cid, bytes }) => ({ cid, length: bytes.length }));
  const head = headCodec.encode(answer.kind === 'blocks' ? { ...answer, blocks: lengths } : answer);
  const framed = new Uint8Array(HEAD_BYTES + head.length);
  new DataView(framed.buffer).setUint32(0, head.length);
  framed.set(head, HEAD_BYTES);
  return [framed, ...blocks.map(({ bytes }) => bytes)];
}

/**
 * u32 length of the message, the message, and the bytes of its blocks: those are not copied on their way in either, where the
 * message itself is read and written again to see that it is canonical.
 */
export const filesAnswerCodec: WireCodec<FilesAnswer> = {
  encode: answer => concatBytes(...filesAnswerPieces(answer)),
  decode: frame => {
    if (frame.length < HEAD_BYTES) return undecodable('an answer begins with a length');
    const end = HEAD_BYTES + new DataView(frame.buffer, frame.byteOffset).getUint32(0);
    if (end > frame.length) return undecodable('a message longer than its frame');
    const head = headCodec.decode(frame.subarray(HEAD_BYTES, end));
    if (isReject(head)) return head;
    const lengths = head.kind === 'blocks' ? head.blocks : [];
    let at = end;
    const blocks = lengths.map(({ cid, length }) => {
      at += length;
      return { cid, bytes: frame.subarray(at - length, at) };
    });
    if (at !== frame.length) return undecodable('blocks of other lengths than it says');
    return head.kind === 'blocks' ? { ...head, blocks } : head;
  },
};
