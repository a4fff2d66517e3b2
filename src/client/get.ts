import { OperatingError } from '../ports/lifecycle.ts';
import { exchange, type Target } from './connect.ts';
import { answerError, nameOf, whole } from './transfer.ts';

export interface GetFile {
  /** Label, id or project/phase. */
  readonly phase: string;
  readonly cid: string;
  /** First byte; 0 by default. */
  readonly from?: number;
  /** Last byte, included; the last one of the file by default. */
  readonly to?: number;
}

export interface GetOptions {
  readonly signal?: AbortSignal;
  /** Waits between tries; the platform's timer by default. */
  readonly wait?: (ms: number) => Promise<void>;
}

export interface GotFile {
  /** As the sender named it, made safe as a file name. */
  readonly name: string | null;
  /** Length of the whole file. */
  readonly totalBytes: number;
  /** Of the stream. */
  readonly bytes: number;
  /** SHA-256 of the whole file in hexadecimal, as the record's author says; null when the node does not say. */
  readonly sha256: string | null;
  /** Authentic bytes in order; fails rather than end early. A lost connection is made again where it was. */
  readonly stream: AsyncIterable<Uint8Array>;
}

const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 5_000;
/** Tries without any progress. */
const TRIES_MAX = 5;

interface Piece {
  readonly response: Response;
  readonly bytes: number;
  readonly totalBytes: number;
}

async function request(target: Target, file: GetFile, from: number, signal?: AbortSignal): Promise<Piece> {
  const path = `/phases/${encodeURIComponent(file.phase)}/files/${encodeURIComponent(file.cid)}`;
  const ranged = from > 0 || file.to !== undefined;
  const response = await exchange(target, path, {
    headers: ranged ? { range: `bytes=${from}-${file.to ?? ''}` } : {},
    ...(signal === undefined ? {} : { signal }),
  });
  if (!response.ok) return answerError(response);
  const bytes = Number(response.headers.get('content-length'));
  const total = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  return { response, bytes, totalBytes: total === undefined ? bytes : Number(total) };
}

function digestOf(response: Response): string | null {
  const encoded = /sha-256=:([A-Za-z0-9+/=]+):/.exec(response.headers.get('repr-digest') ?? '')?.[1];
  if (encoded === undefined) return null;
  return [...atob(encoded)].map(one => one.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

async function* resuming(
  target: Target,
  file: GetFile,
  first: Piece,
  options: GetOptions,
): AsyncGenerator<Uint8Array> {
  const wait = options.wait ?? (ms => new Promise<void>(resolve => setTimeout(resolve, ms)));
  const start = file.from ?? 0;
  let received = 0;
  let tries = 0;
  for (let piece: Piece | null = first; ; ) {
    try {
      piece ??= await request(target, file, start + received, options.signal);
      for await (const chunk of whole(piece.response.body, piece.bytes, target.url)) {
        received += chunk.length;
        tries = 0;
        yield chunk;
      }
      return;
    } catch (error) {
      const lost = error instanceof OperatingError && /^(cannot_connect|download_broken)$/.test(error.code);
      tries += 1;
      if (!lost || tries >= TRIES_MAX || options.signal?.aborted) throw error;
      piece = null;
      await wait(Math.min(RETRY_MS_MIN * 2 ** (tries - 1), RETRY_MS_MAX));
    }
  }
}

/**
 * Opens a file, or a range of it, for reading.
 *
 * @throws RpcError, OperatingError `cannot_connect`
 */
export async function get(target: Target, file: GetFile, options: GetOptions): Promise<GotFile> {
  const first = await request(target, file, file.from ?? 0, options.signal);
  return {
    name: nameOf(first.response),
    totalBytes: first.totalBytes,
    bytes: first.bytes,
    sha256: digestOf(first.response),
    stream: resuming(target, file, first, options),
  };
}
