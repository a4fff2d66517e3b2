import { utf8 } from '../core/base/bytes.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { exchange, type Target } from './connect.ts';
import { answerError } from './transfer.ts';

/** Bytes that can be read again from any place: what an interrupted upload goes on with. */
export interface PutSource {
  readonly bytes: number;
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Called when the last byte was read and before it is sent; when it throws, the upload is ended. */
  check?(): Promise<void>;
}

export interface PutFile {
  /** Label, id or project/phase. */
  readonly phase: string;
  readonly name: string;
  readonly mediaType?: string;
  readonly source: PutSource | Blob | Uint8Array;
  /** The same text for the same bytes: then a later call goes on where this one ended. */
  readonly fingerprint?: string;
  /** `now` (default): a record of its own; `later`: `record_put` names the upload. */
  readonly record?: 'now' | 'later';
  /** Type and title of the record. */
  readonly type?: string;
  readonly title?: string;
}

export interface PutOptions {
  readonly signal?: AbortSignal;
  /** Called when the node has taken more. */
  readonly onProgress?: (bytes: number, total: number) => void;
  /** Waits between tries; the platform's timer by default. */
  readonly wait?: (ms: number) => Promise<void>;
}

export interface PutResult {
  readonly upload: string;
  /** Null for an upload that a record names later. */
  readonly record: string | null;
  readonly cid: string | null;
}

interface OpenUpload {
  readonly id: string;
  readonly bytes: number | null;
  readonly fingerprint: string | null;
  readonly stage: string;
  readonly record: string | null;
  readonly cid: string | null;
}

/** Bytes of one request: what an interruption can cost. */
const PIECE_BYTES = 8 * 1024 * 1024;
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 5_000;
/** Tries without any progress before the upload is given up; it can be gone on with later. */
const TRIES_MAX = 8;
const TUS = { 'tus-resumable': '1.0.0' };

function sourceOf(given: PutFile['source']): PutSource {
  if (given instanceof Uint8Array) {
    return { bytes: given.length, read: async (offset, length) => given.subarray(offset, offset + length) };
  }
  if ('read' in given) return given;
  return {
    bytes: given.size,
    read: async (offset, length) => new Uint8Array(await given.slice(offset, offset + length).arrayBuffer()),
  };
}

function metadata(file: PutFile): string {
  const fields: [string, string | undefined][] = [
    ['phase', file.phase],
    ['filename', file.name],
    ['filetype', file.mediaType],
    ['fingerprint', file.fingerprint],
    ['record', file.record],
    ['recordType', file.type],
    ['title', file.title],
  ];
  const encode = (text: string) => btoa(String.fromCharCode(...utf8(text)));
  return fields.flatMap(([key, text]) => (text === undefined ? [] : `${key} ${encode(text)}`)).join(',');
}

/** One upload by the tus protocol, over as many requests and connections as it takes. */
class Putting {
  private readonly source: PutSource;
  private path = '';

  constructor(
    private readonly target: Target,
    private readonly file: PutFile,
    private readonly options: PutOptions,
    private readonly uploads: (phase: string) => Promise<readonly OpenUpload[]>,
  ) {
    this.source = sourceOf(file.source);
  }

  async run(): Promise<PutResult> {
    let offset = await this.open();
    while (offset < this.source.bytes) offset = await this.insist(at => this.send(at), offset);
    const id = this.path.split('/').at(-1)!;
    const [done] = (await this.uploads(this.file.phase)).filter(upload => upload.id === id);
    return { upload: id, record: done?.record ?? null, cid: done?.cid ?? null };
  }

  /** Goes on with an upload of the same bytes, or begins one. @returns the bytes that are there */
  private async open(): Promise<number> {
    const { phase, fingerprint } = this.file;
    const known = fingerprint === undefined ? [] : await this.uploads(phase);
    const same = known.find(
      upload =>
        upload.fingerprint === fingerprint &&
        upload.bytes === this.source.bytes &&
        (upload.stage === 'receiving' || upload.stage === 'stored'),
    );
    if (same !== undefined) {
      this.path = `/uploads/${same.id}`;
      return this.offset();
    }
    const created = await this.request('POST', '/uploads', {
      'upload-length': String(this.source.bytes),
      'upload-metadata': metadata(this.file),
    });
    this.path = created.headers.get('location') ?? '';
    return 0;
  }

  private async offset(): Promise<number> {
    const answer = await this.request('HEAD', this.path, {});
    return Number(answer.headers.get('upload-offset'));
  }

  private async send(offset: number): Promise<number> {
    const piece = await this.source.read(offset, Math.min(PIECE_BYTES, this.source.bytes - offset));
    if (piece.length === 0 || offset + piece.length === this.source.bytes) await this.check();
    if (piece.length === 0) {
      throw new OperatingError(
        'source_changed',
        `the source ends at ${offset} of ${this.source.bytes} bytes`,
      );
    }
    const headers = { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' };
    const answer = await this.request('PATCH', this.path, headers, piece);
    const taken = Number(answer.headers.get('upload-offset'));
    this.options.onProgress?.(taken, this.source.bytes);
    return taken;
  }

  private async check(): Promise<void> {
    await this.source.check?.().catch(async error => {
      // what the node has of it is of no use; an upload that cannot be ended now ends by itself later
      await this.request('DELETE', this.path, {}).catch(() => {});
      throw error;
    });
  }

  /** Tries again after a lost connection, from where the node says that it is. */
  private async insist(send: (offset: number) => Promise<number>, from: number): Promise<number> {
    const wait = this.options.wait ?? (ms => new Promise<void>(resolve => setTimeout(resolve, ms)));
    let offset = from;
    for (let tries = 1; ; tries += 1) {
      try {
        return await send(offset);
      } catch (error) {
        const lost = error instanceof OperatingError && error.code === 'cannot_connect';
        if (!lost || tries >= TRIES_MAX || this.options.signal?.aborted) throw error;
        await wait(Math.min(RETRY_MS_MIN * 2 ** (tries - 1), RETRY_MS_MAX));
        offset = await this.offset().catch(() => offset);
        if (offset > from) return offset;
      }
    }
  }

  private async request(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: Uint8Array,
  ): Promise<Response> {
    const { signal } = this.options;
    const response = await exchange(this.target, path, {
      method,
      headers: { ...TUS, ...headers },
      ...(body === undefined ? {} : { body: body as NonNullable<RequestInit['body']> }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (!response.ok) return answerError(response);
    await response.body?.cancel();
    return response;
  }
}

/**
 * Uploads a file so that an interruption costs one piece of it at most: connections that are lost are made again, and with a
 * fingerprint a later call goes on where an earlier one ended.
 *
 * @param uploads what `file_uploads` answers
 * @throws RpcError, OperatingError `cannot_connect` after several tries, `source_changed`; the reason of an aborted signal
 */
export function put(
  target: Target,
  file: PutFile,
  options: PutOptions,
  uploads: (phase: string) => Promise<readonly OpenUpload[]>,
): Promise<PutResult> {
  return new Putting(target, file, options, uploads).run();
}
