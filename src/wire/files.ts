import { hashBytes, toHex } from '../core/base/bytes.ts';
import type { PhaseId } from '../core/base/ids.ts';
import { type Reject, reject } from '../core/base/reject.ts';
import { LIMITS } from '../core/types/limits.ts';
import { ownBytes, wireCodec } from './codec.ts';
import { phaseline } from './generated/messages.js';

export const FILES_WIRE_LIMITS = {
  /** Blocks asked for in one request. */
  blocksPerRequest: 16,
  /** A block as `unixfs-v1-2025` cuts it is 1 MiB; no IPFS node takes more than twice that. */
  blockBytes: 2 * 1024 * 1024,
} as const;

const EXTENTS = ['none', 'partial', 'whole'] as const;
export type Extent = (typeof EXTENTS)[number];

/** The asker names the phase as whose participant it asks, and the file's root. */
export type FilesRequest = { readonly phase: PhaseId; readonly root: string } & (
  | { readonly kind: 'have' }
  | { readonly kind: 'get'; readonly cids: readonly string[] }
);

export interface FilesBlock {
  readonly cid: string;
  readonly bytes: Uint8Array;
}

export type FilesAnswer =
  | { readonly kind: 'holding'; readonly extent: Extent }
  | { readonly kind: 'blocks'; readonly blocks: readonly FilesBlock[]; readonly absent: readonly string[] };

const undecodable = (what: string): Reject => reject('undecodable', `files: ${what}`);

function isCidLength(text: string): boolean {
  return text.length > 0 && text.length <= LIMITS.cidBytes;
}

function areCids(texts: readonly string[]): boolean {
  return texts.length <= FILES_WIRE_LIMITS.blocksPerRequest && texts.every(isCidLength);
}

export const filesRequestCodec = wireCodec<phaseline.FilesRequest.$Properties, FilesRequest>(
  'files request',
  phaseline.FilesRequest,
  request => ({
    phase: hashBytes(request.phase),
    root: request.root,
    ...(request.kind === 'have' ? { have: {} } : { get: { cids: [...request.cids] } }),
  }),
  wire => {
    const root = wire.root ?? '';
    if (wire.phase?.length !== 32 || !isCidLength(root)) return undecodable('a request names phase and root');
    const subject = { phase: toHex(wire.phase) as PhaseId, root };
    if (wire.have) return { ...subject, kind: 'have' };
    const cids = wire.get?.cids ?? [];
    if (cids.length === 0 || !areCids(cids)) return undecodable('a request asks for 1 to 16 blocks');
    return { ...subject, kind: 'get', cids };
  },
);

export const filesAnswerCodec = wireCodec<phaseline.FilesAnswer.$Properties, FilesAnswer>(
  'files answer',
  phaseline.FilesAnswer,
  answer =>
    answer.kind === 'holding'
      ? { holding: { extent: EXTENTS.indexOf(answer.extent) } }
      : {
          blocks: {
            blocks: answer.blocks.map(({ cid, bytes }) => ({ cid, data: bytes })),
            absent: [...answer.absent],
          },
        },
  wire => {
    if (wire.holding) {
      const extent = EXTENTS[wire.holding.extent ?? 0];
      return extent === undefined ? undecodable('unknown extent') : { kind: 'holding', extent };
    }
    const list = wire.blocks?.blocks ?? [];
    const absent = wire.blocks?.absent ?? [];
    const blocks = list.map(block => ({ cid: block.cid ?? '', bytes: ownBytes(block.data) }));
    if (!wire.blocks || !areCids(absent) || !areCids(blocks.map(block => block.cid))) {
      return undecodable('an answer has at most the blocks asked for');
    }
    if (blocks.some(block => block.bytes.length > FILES_WIRE_LIMITS.blockBytes)) {
      return undecodable('a block above its limit');
    }
    return { kind: 'blocks', blocks, absent };
  },
);
