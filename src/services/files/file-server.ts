import type { Sha256 } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import {
  type Extent,
  type FilesAnswer,
  type FilesBlock,
  type FilesRequest,
  filesAnswerPieces,
  filesRequestCodec,
  type RequestOf,
} from '../../wire/files.ts';
import { checkFetch, entryOf, isReader, NOT_PERMITTED } from './access.ts';
import { BlockCache } from './block-cache.ts';
import type { FileIndex, RootRecord } from './file-index.ts';
import type { FileLedger } from './ledger.ts';
import {
  FILES_ANSWER_BYTES_MAX,
  FILES_FRAME_BYTES_MAX,
  FILES_OUTBOX_BYTES_MAX,
  FILES_PROTOCOL,
  FILES_REQUESTS_IN_FLIGHT_MAX,
  type FilesLimits,
} from './limits.ts';
import { possessionStart, withBlock } from './possession.ts';

export interface FileServerConfig {
  readonly blobs: BlobStore;
  readonly index: FileIndex;
  readonly ledger: FileLedger;
  readonly transport: Transport;
  readonly sha256: Sha256;
  readonly limits: FilesLimits;
  /** Takes files that a participant offers. @returns the indexes of those that are fetched */
  readonly takeOffer: (from: PeerId, offer: RequestOf<'offer'>) => Promise<readonly number[] | Reject>;
  /** Hears of a block that was read and is missing or damaged. */
  readonly onDamage: (root: string) => void;
}

/** Answers other nodes: what it has of a file, to whoever may read that file in the phase it names, at this moment. */
export class FileServer {
  private readonly cache: BlockCache;

  constructor(private readonly config: FileServerConfig) {
    this.cache = new BlockCache(config.limits.servedCacheBytes);
  }

  /** Before the transport starts. */
  register(): void {
    this.config.transport.register(
      {
        id: FILES_PROTOCOL,
        frameBytesMax: FILES_FRAME_BYTES_MAX,
        outboxBytesMax: FILES_OUTBOX_BYTES_MAX,
        requestsInFlightMax: FILES_REQUESTS_IN_FLIGHT_MAX,
      },
      { request: (from, frame) => this.answer(from, frame) },
    );
  }

  private async answer(from: PeerId, frame: Uint8Array): Promise<readonly Uint8Array[] | Reject> {
    const request = filesRequestCodec.decode(frame);
    if (isReject(request)) return request;
    const answer = await this.answerOf(from, request);
    return isReject(answer) ? answer : filesAnswerPieces(answer);
  }

  private async answerOf(from: PeerId, request: FilesRequest): Promise<FilesAnswer | Reject> {
    switch (request.kind) {
      case 'have':
        return this.holding(from, request);
      case 'small':
        return this.small(from, request);
      case 'offer': {
        const indexes = await this.config.takeOffer(from, request);
        return isReject(indexes) ? indexes : { kind: 'taken', indexes };
      }
      default: {
        const refused = this.refusal(from, request.phase, request.root) ?? this.unserved(request);
        if (refused !== null) return refused;
        return request.kind === 'get' ? this.blocks(request) : this.proof(request);
      }
    }
  }

  /** `purged` for a file that was: who offers or wants it learns so, and may read the order itself. */
  private refusal(from: PeerId, phase: RequestOf<'get'>['phase'], root: string): Reject | null {
    const { ledger } = this.config;
    const refused = checkFetch(ledger, from, phase, root);
    const isPurged = ledger.purgeOf(phase, root) !== null;
    if (refused === null || !isPurged || !isReader(ledger, from, phase)) return refused;
    return reject('purged', root, 'ignore');
  }

  /** Null also for a file that this node has by another phase's records only: in this one it has nothing. */
  private servable(phase: RequestOf<'get'>['phase'], root: string): RootRecord | null {
    const { index, ledger } = this.config;
    const record = index.root(root);
    return record !== null && entryOf(ledger, phase, root, record) !== null ? record : null;
  }

  /** With one refusal for all when the asker may know of none. */
  private holding(from: PeerId, { phase, roots }: RequestOf<'have'>): FilesAnswer | Reject {
    const { ledger } = this.config;
    if (!isReader(ledger, from, phase)) return NOT_PERMITTED;
    let known = 0;
    const extents = roots.map((root): Extent => {
      const isPurged = ledger.purgeOf(phase, root) !== null;
      if (!isPurged && ledger.entries(phase, root).length === 0) return 'none';
      known += 1;
      if (isPurged) return 'purged';
      const record = this.servable(phase, root);
      return record === null ? 'none' : record.whole ? 'whole' : 'partial';
    });
    return known === 0 ? NOT_PERMITTED : { kind: 'holding', extents };
  }

  private unserved({ phase, root, cids }: RequestOf<'get' | 'prove'>): Reject | null {
    if (this.servable(phase, root) === null) return reject('not_held', root, 'ignore');
    // a block of another file would be a way into phases that the asker is not in
    const stranger = cids.find(cid => !this.config.index.belongs(root, cid));
    return stranger === undefined ? null : reject('not_in_file', stranger);
  }

  private blocks({ root, cids }: RequestOf<'get'>): Promise<FilesAnswer> {
    return this.gather(cids.map(cid => ({ root, cid })));
  }

  private async small(from: PeerId, { phase, roots }: RequestOf<'small'>): Promise<FilesAnswer | Reject> {
    const { ledger } = this.config;
    const named = isReader(ledger, from, phase)
      ? new Set(roots.filter(root => ledger.entries(phase, root).length > 0))
      : new Set<string>();
    if (named.size === 0) return NOT_PERMITTED;
    const asked = roots.map(root => {
      const served = named.has(root) && this.servable(phase, root) !== null;
      return { root: served ? root : null, cid: root };
    });
    return this.gather(asked);
  }

  /** As many as one answer takes, in the order asked for. @param asked `root` null for what is not to be had here */
  private async gather(
    asked: readonly { readonly root: string | null; readonly cid: string }[],
  ): Promise<FilesAnswer> {
    const { cache } = this;
    const blocks: FilesBlock[] = [];
    const absent: string[] = [];
    let bytesTotal = 0;
    for (const { root, cid } of asked) {
      const bytes = root === null ? null : await this.read(root, cid, cache);
      if (bytes === null) {
        absent.push(cid);
        continue;
      }
      cache.put(cid, bytes);
      bytesTotal += bytes.length;
      if (bytesTotal > FILES_ANSWER_BYTES_MAX) break;
      blocks.push({ cid, bytes });
    }
    return { kind: 'blocks', blocks, absent };
  }

  /** Null for what did not come as part of this file, or is lost. @param cache null for bytes that must come from the store */
  private async read(root: string, cid: string, cache: BlockCache | null): Promise<Uint8Array | null> {
    const { index, blobs, onDamage } = this.config;
    if (!index.holds(root, cid)) return null;
    const bytes = cache?.get(cid) ?? (await blobs.get(cid));
    if (bytes === null) onDamage(root);
    return bytes;
  }

  /** One block after the other: no bytes are sent, so a challenge may be of more than one answer takes. */
  private async proof({ root, cids, nonce }: RequestOf<'prove'>): Promise<FilesAnswer> {
    const { transport, sha256 } = this.config;
    let digest = possessionStart(nonce, transport.peerId);
    let isWhole = true;
    for (const cid of cids) {
      const bytes = await this.read(root, cid, null);
      if (bytes === null) isWhole = false;
      else digest = withBlock(sha256, digest, bytes);
    }
    return { kind: 'proof', digest: isWhole ? digest : null };
  }
}
