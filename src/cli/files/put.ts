import { open } from 'node:fs/promises';
import type { Client } from '../../client/client.ts';
import type { PutSource } from '../../client/put.ts';
import { RpcError } from '../../client/rpc-error.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import { sha256Of } from './hash.ts';
import { type ListedFile, listFiles } from './list.ts';
import type { TransferProgress } from './progress.ts';
import type { FoundFile } from './walk.ts';

export interface PutFileAnswer {
  readonly cid: string;
  readonly name: string;
  readonly bytes: number;
  readonly reused: boolean;
}

export interface RecordPutAnswer {
  readonly id: string;
  readonly height: number;
  readonly position: number;
  readonly files: readonly PutFileAnswer[];
}

export interface PutReport {
  readonly records: readonly RecordPutAnswer[];
  /** Files of directories that the phase has under the same name with the same content: nothing was written for them. */
  readonly present: readonly string[];
}

export interface PutRequest {
  readonly phase: string;
  readonly files: readonly FoundFile[];
  readonly type: string;
  readonly title: string;
  readonly mediaType: string;
  /** Text of the record; of the first one when there are several. */
  readonly text: string | null;
  readonly references: readonly string[];
  /** True when all files belong into one record, however large they are. */
  readonly oneRecord: boolean;
  readonly waitForCopies: { readonly copies: number | null; readonly waitMs: number } | null;
  /** Who signs; null for the member itself. */
  readonly asUser: { readonly name: string; readonly passphrase: string } | null;
}

export interface PutEnvironment {
  readonly client: Client;
  /** True while the node is thought to see the files of this machine under the same paths. */
  readonly local: boolean;
  readonly progress: Pick<TransferProgress, 'update' | 'end'>;
  readonly signal: AbortSignal;
  /** Waits between looks at a running call. */
  readonly pause: () => Promise<void>;
}

interface UploadAnswer {
  readonly id: string;
  readonly offset: number;
  readonly stage: string;
  readonly copies: {
    readonly copies: number;
    readonly wanted: number;
    readonly bytesConfirmed: number;
  } | null;
}

/** Files up to this size go into the record's own call, when the node reads them itself. */
const SMALL_BYTES_MAX = 1024 * 1024;
const FILES_PER_RECORD = 256;
/** A record is closed after so much, so that an interruption finds most of a large directory committed. */
const BYTES_PER_RECORD = 256 * 1024 * 1024;
/** How the node says that it does not see a path that is there. */
const NOT_SEEN: ReadonlySet<string> = new Set(['no_such_file', 'not_readable', 'not_a_file']);

function groups(files: readonly FoundFile[], oneRecord: boolean): readonly (readonly FoundFile[])[] {
  if (oneRecord) {
    if (files.length <= FILES_PER_RECORD) return [files];
    const detail = `a record has at most ${FILES_PER_RECORD} files, these are ${files.length}`;
    throw new CommandFailure(EXIT.usage, detail, 'phaseline file put writes as many records as it takes.');
  }
  const all: FoundFile[][] = [];
  let bytes = 0;
  for (const file of files) {
    const group = all.at(-1);
    if (group === undefined || group.length >= FILES_PER_RECORD || bytes + file.bytes > BYTES_PER_RECORD) {
      all.push([file]);
      bytes = file.bytes;
    } else {
      group.push(file);
      bytes += file.bytes;
    }
  }
  return all;
}

/** A file of this machine as bytes that can be read again from any place. */
async function withSource<T>(
  path: string,
  use: (source: PutSource, identity: string) => Promise<T>,
): Promise<T> {
  const file = await open(path);
  try {
    const { dev, ino, size, mtimeNs } = await file.stat({ bigint: true });
    const read = async (offset: number, length: number) => {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    };
    const check = async () => {
      const now = await file.stat({ bigint: true });
      if (now.size === size && now.mtimeNs === mtimeNs) return;
      throw new CommandFailure(
        EXIT.refused,
        `${path} changed while it was read`,
        'Put it again when it rests.',
      );
    };
    return await use({ bytes: Number(size), read, check }, `${path}\n${dev}/${ino}/${size}/${mtimeNs}`);
  } finally {
    await file.close();
  }
}

/** Puts files into a phase, a record for each few hundred of them; what is interrupted goes on when it is called again. */
export class FilePut {
  private local: boolean;
  private doneBytes = 0;
  private readonly totalBytes: number;
  private readonly present: string[] = [];
  private readonly records: RecordPutAnswer[] = [];

  constructor(
    private readonly request: PutRequest,
    private readonly environment: PutEnvironment,
  ) {
    this.local = environment.local;
    this.totalBytes = request.files.reduce((sum, file) => sum + file.bytes, 0);
  }

  /** @throws CommandFailure after an interruption, saying how far it came; what the node answers */
  async run(): Promise<PutReport> {
    const { progress, signal } = this.environment;
    try {
      const files = await this.withoutPresent();
      if (files.length === 0 && this.present.length > 0) return this.report();
      for (const group of groups(files, this.request.oneRecord))
        this.records.push(await this.putRecord(group));
      return this.report();
    } catch (error) {
      if (!signal.aborted) throw error;
      const { length } = this.records.flatMap(record => record.files);
      const detail = `stopped: ${length} of ${this.request.files.length} files are committed`;
      throw new CommandFailure(EXIT.error, detail, 'The same command goes on where this one ended.');
    } finally {
      progress.end();
    }
  }

  private report(): PutReport {
    return { records: this.records, present: this.present };
  }

  /** A directory that is put again brings only what is new in it. */
  private async withoutPresent(): Promise<readonly FoundFile[]> {
    const { files, phase } = this.request;
    const roots = new Set(files.flatMap(file => (file.inDirectory ? [file.name.split('/')[0]!] : [])));
    const known = new Map<string, ListedFile[]>();
    for (const root of roots) {
      for (const file of await listFiles(this.environment.client, phase, `${root}/`))
        if (!file.purged) known.set(file.name, [...(known.get(file.name) ?? []), file]);
    }
    const fresh: FoundFile[] = [];
    for (const file of files) {
      this.environment.signal.throwIfAborted();
      const alike = (known.get(file.name) ?? []).filter(
        ({ bytes }) => file.inDirectory && bytes === file.bytes,
      );
      const hash = alike.length === 0 ? null : await sha256Of(file.path, this.environment.signal);
      if (alike.some(({ sha256 }) => sha256 === hash)) {
        this.present.push(file.name);
        this.doneBytes += file.bytes;
      } else fresh.push(file);
    }
    return fresh;
  }

  private async putRecord(group: readonly FoundFile[]): Promise<RecordPutAnswer> {
    try {
      return await this.putGroup(group);
    } catch (error) {
      // another user's node, or one behind a tunnel: then the bytes are sent to it
      if (!this.local || !(error instanceof RpcError) || !NOT_SEEN.has(error.reason)) throw error;
      this.local = false;
      return this.putGroup(group);
    }
  }

  private async putGroup(group: readonly FoundFile[]): Promise<RecordPutAnswer> {
    const { phase, type, title, mediaType, text, references, waitForCopies, asUser } = this.request;
    const before = this.doneBytes;
    const files: object[] = [];
    try {
      for (const { path, name, bytes } of group) {
        const where =
          this.local && bytes <= SMALL_BYTES_MAX ? { path } : { upload: await this.upload(path, name) };
        files.push({ ...where, name, mediaType });
        this.doneBytes += bytes;
        this.show('store', 0);
      }
    } catch (error) {
      this.doneBytes = before;
      throw error;
    }
    const first = this.records.length === 0;
    const params = {
      ...{ phase, type, title, files, waitForCopies, asUser },
      ...(first ? { text, references } : {}),
    };
    return this.watched(
      this.environment.client.call('record_put', params, { signal: this.environment.signal }),
      this.doneBytes - before,
    );
  }

  private async upload(path: string, name: string): Promise<string> {
    const { client, signal } = this.environment;
    const { phase, mediaType } = this.request;
    if (!this.local) {
      return withSource(path, async (source, fingerprint) => {
        const file = { phase, name, mediaType, source, fingerprint, record: 'later' as const };
        const onProgress = (bytes: number) => this.show('store', bytes);
        return (await client.put(file, { signal, onProgress })).upload;
      });
    }
    for (;;) {
      const params = { phase, path, name, mediaType, forMs: 500 };
      const upload = await client.call<UploadAnswer>('file_upload', params, { signal });
      this.show('store', upload.offset);
      if (upload.stage !== 'receiving') return upload.id;
    }
  }

  /** Shows what the record waits for, until it is committed. @param bytes of its files */
  private async watched(committed: Promise<RecordPutAnswer>, bytes: number): Promise<RecordPutAnswer> {
    const { client, pause, progress } = this.environment;
    const { phase, waitForCopies } = this.request;
    let over = false;
    const done = committed.finally(() => {
      over = true;
    });
    if (waitForCopies === null) {
      this.show('commit', 0);
      return done;
    }
    const watching = (async () => {
      while (!over) {
        const { uploads } = await client.call<{ uploads: UploadAnswer[] }>('file_uploads', { phase });
        const copies = uploads.find(({ stage }) => stage === 'replicating')?.copies;
        const stage = copies ? `replicate ${copies.copies}/${copies.wanted}` : 'commit';
        // what other nodes have confirmed, of all that they are to have; the ciphertext is a little longer
        const total = bytes * Math.max(0, (copies?.wanted ?? 1) - 1);
        if (!over) progress.update({ stage, bytes: Math.min(total, copies?.bytesConfirmed ?? 0), total });
        await Promise.race([pause(), done.catch(() => {})]);
      }
    })().catch(() => {});
    try {
      return await done;
    } finally {
      await watching;
    }
  }

  private show(stage: string, bytes: number): void {
    this.environment.progress.update({ stage, bytes: this.doneBytes + bytes, total: this.totalBytes });
  }
}
