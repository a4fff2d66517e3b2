import { equalBytes } from '../core/base/bytes.ts';
import { isReject } from '../core/base/reject.ts';
import { Reader } from '../core/codec/reader.ts';
import { Writer } from '../core/codec/writer.ts';
import { readSignedMessage, writeSignedMessage } from '../core/pbft/message-codec.ts';
import type { SignedMessage } from '../core/pbft/messages.ts';
import { SIZES } from '../core/types/limits.ts';
import type { KeyValueStore, KvOperation } from '../ports/kv.ts';
import type { ViewArchive } from '../ports/view-archive.ts';
import { corrupt } from './checksum.ts';
import { ordered } from './keyspaces.ts';

export interface ViewArchiveLimits {
  readonly newViewsMax: number;
  /** The last is kept however long it is. */
  readonly bytesMax: number;
}

export const VIEW_ARCHIVE_LIMITS: ViewArchiveLimits = { newViewsMax: 256, bytesMax: 64 * 1024 * 1024 };

const INDEX = 'views/index';
const keyOf = (sequence: number) => `views/${ordered(sequence)}`;

interface Kept {
  readonly sequence: number;
  readonly bytes: number;
  readonly signature: Uint8Array;
}

/** `ViewArchive` in the node's database: one value for each NEW-VIEW, and an index of what is there. */
export class KvViewArchive implements ViewArchive {
  private last: Promise<void> = Promise.resolve();

  constructor(
    private readonly kv: KeyValueStore,
    private readonly limits = VIEW_ARCHIVE_LIMITS,
  ) {}

  add(newView: SignedMessage): Promise<void> {
    const turn = this.last.then(() => this.append(newView));
    this.last = turn.catch(() => {});
    return turn;
  }

  settled(): Promise<void> {
    return this.last;
  }

  list(): readonly SignedMessage[] {
    return this.index().map(({ sequence }) => this.read(sequence));
  }

  private async append(newView: SignedMessage): Promise<void> {
    const kept = this.index();
    if (kept.some(({ signature }) => equalBytes(signature, newView.signature))) return;
    const sequence = (kept.at(-1)?.sequence ?? -1) + 1;
    const writer = new Writer();
    writeSignedMessage(writer, newView);
    const value = writer.finish();
    const next = [...kept, { sequence, bytes: value.length, signature: newView.signature }];
    const operations: KvOperation[] = [{ type: 'put', key: keyOf(sequence), value }];
    let bytes = next.reduce((sum, entry) => sum + entry.bytes, 0);
    while (next.length > 1 && (next.length > this.limits.newViewsMax || bytes > this.limits.bytesMax)) {
      const oldest = next.shift() as Kept;
      bytes -= oldest.bytes;
      operations.push({ type: 'delete', key: keyOf(oldest.sequence) });
    }
    operations.push({ type: 'put', key: INDEX, value: encodeIndex(next) });
    await this.kv.batch(operations, { sync: true });
  }

  private index(): Kept[] {
    const bytes = this.kv.get(INDEX);
    if (bytes === null) return [];
    const reader = new Reader(bytes);
    const kept = reader.list(VIEW_ARCHIVE_LIMITS.newViewsMax, from => ({
      sequence: from.u64(),
      bytes: from.u32(),
      signature: from.fixed(SIZES.signature),
    }));
    const read = reader.finish(kept, 'archive of views');
    if (isReject(read)) throw corrupt(INDEX);
    return read;
  }

  private read(sequence: number): SignedMessage {
    const key = keyOf(sequence);
    const value = this.kv.get(key);
    if (value === null) throw corrupt(key);
    const reader = new Reader(value);
    const message = reader.finish(readSignedMessage(reader), 'archived view');
    if (isReject(message)) throw corrupt(key);
    return message;
  }
}

function encodeIndex(kept: readonly Kept[]): Uint8Array {
  return new Writer()
    .list(kept, (out, { sequence, bytes, signature }) =>
      out.u64(sequence).u32(bytes).fixed(signature, SIZES.signature),
    )
    .finish();
}
