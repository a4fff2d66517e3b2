import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import {
  type FilesAnswer,
  type FilesBlock,
  type FilesRequest,
  filesAnswerCodec,
  filesRequestCodec,
} from '../../wire/files.ts';
import { checkFetch, entryOf } from './access.ts';
import type { FileIndex, RootRecord } from './file-index.ts';
import type { FileLedger } from './ledger.ts';
import {
  FILES_ANSWER_BYTES_MAX,
  FILES_FRAME_BYTES_MAX,
  FILES_OUTBOX_BYTES_MAX,
  FILES_PROTOCOL,
  FILES_REQUESTS_IN_FLIGHT_MAX,
} from './limits.ts';

export interface FileServerConfig {
  readonly blobs: BlobStore;
  readonly index: FileIndex;
  readonly ledger: FileLedger;
  readonly transport: Transport;
}

/** Answers other nodes: blocks of a file, to whoever may read that file in the phase it names, at this moment. */
export class FileServer {
  constructor(private readonly config: FileServerConfig) {}

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

  private async answer(from: PeerId, frame: Uint8Array): Promise<Uint8Array | Reject> {
    const request = filesRequestCodec.decode(frame);
    if (isReject(request)) return request;
    const refused = checkFetch(this.config.ledger, from, request.phase, request.root);
    if (refused !== null) return refused;
    const answer = request.kind === 'have' ? this.holding(request) : await this.blocks(request);
    return isReject(answer) ? answer : filesAnswerCodec.encode(answer);
  }

  /** Null also for a file that this node has by another phase's records only: in this one it has nothing. */
  private servable({ phase, root }: FilesRequest): RootRecord | null {
    const { index, ledger } = this.config;
    const record = index.root(root);
    return record !== null && entryOf(ledger, phase, root, record) !== null ? record : null;
  }

  private holding(request: FilesRequest): FilesAnswer {
    const record = this.servable(request);
    return { kind: 'holding', extent: record === null ? 'none' : record.whole ? 'whole' : 'partial' };
  }

  private async blocks(request: FilesRequest & { readonly kind: 'get' }): Promise<FilesAnswer | Reject> {
    const { index, blobs } = this.config;
    if (this.servable(request) === null) return reject('not_held', request.root, 'ignore');
    const blocks: FilesBlock[] = [];
    const absent: string[] = [];
    let bytesTotal = 0;
    for (const cid of request.cids) {
      // a block of another file would be a way into phases that the asker is not in
      if (!index.belongs(request.root, cid)) return reject('not_in_file', cid);
      const bytes = index.holds(request.root, cid) ? await blobs.get(cid) : null;
      if (bytes === null) {
        absent.push(cid);
        continue;
      }
      bytesTotal += bytes.length;
      if (bytesTotal > FILES_ANSWER_BYTES_MAX) break;
      blocks.push({ cid, bytes });
    }
    return { kind: 'blocks', blocks, absent };
  }
}
