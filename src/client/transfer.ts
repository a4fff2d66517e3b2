import { OperatingError } from '../ports/lifecycle.ts';
import { exchange, type Target } from './connect.ts';
import { rpcErrorOf } from './rpc-error.ts';

export interface Upload {
  /** Label, id or project/phase. */
  readonly phase: string;
  readonly name: string;
  readonly mediaType?: string;
  /** The record's type. */
  readonly type?: string;
  readonly body: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array> | Blob | Uint8Array;
}

export interface UploadReceipt {
  readonly id: string;
  readonly height: number;
  readonly position: number;
  readonly files: readonly {
    readonly cid: string;
    readonly name: string;
    readonly bytes: number;
    readonly ciphertextBytes: number;
    /** True when the phase had the same content already. */
    readonly reused: boolean;
  }[];
}

export interface Download {
  /** As the sender named it, made safe as a file name; null for what has no name. */
  readonly name: string | null;
  /** Bytes of the stream; null when the node does not say. */
  readonly bytes: number | null;
  readonly stream: AsyncIterable<Uint8Array>;
}

export async function answerError(response: Response): Promise<never> {
  const answer = (await response.json().catch(() => null)) as { error?: unknown } | null;
  throw rpcErrorOf(answer?.error ?? { message: `the node answered HTTP status ${response.status}` });
}

export async function upload(target: Target, file: Upload, signal?: AbortSignal): Promise<UploadReceipt> {
  const query = new URLSearchParams({ name: file.name });
  if (file.mediaType !== undefined) query.set('mediaType', file.mediaType);
  if (file.type !== undefined) query.set('type', file.type);
  const response = await exchange(target, `/phases/${encodeURIComponent(file.phase)}/files?${query}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: file.body as NonNullable<RequestInit['body']>,
    // Streams are sent while they are read; the platform asks for this to be said.
    duplex: 'half',
    ...(signal === undefined ? {} : { signal }),
  } as RequestInit);
  return response.ok ? ((await response.json()) as UploadReceipt) : answerError(response);
}

export interface CarImport {
  readonly blocks: number;
  /** True when the node has the whole file now. */
  readonly whole: boolean;
  /** What is missing; null when nothing is. */
  readonly reason: string | null;
}

/** Sends the blocks of a file that a record of the phase names. */
export async function uploadCar(
  target: Target,
  path: string,
  body: Upload['body'],
  signal?: AbortSignal,
): Promise<CarImport> {
  const response = await exchange(target, path, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.ipld.car' },
    body: body as NonNullable<RequestInit['body']>,
    duplex: 'half',
    ...(signal === undefined ? {} : { signal }),
  } as RequestInit);
  return response.ok ? ((await response.json()) as CarImport) : answerError(response);
}

export function nameOf(response: Response): string | null {
  const encoded = /filename\*=UTF-8''([^;]+)/.exec(response.headers.get('content-disposition') ?? '')?.[1];
  return encoded === undefined ? null : decodeURIComponent(encoded);
}

/** Passes the body on and fails unless exactly the announced bytes came. */
export async function* whole(body: ReadableStream<Uint8Array> | null, bytes: number | null, url: string) {
  let received = 0;
  const reader = body?.getReader();
  try {
    while (reader !== undefined) {
      const { done, value } = await reader.read().catch(error => {
        throw broken(url, error);
      });
      if (done) break;
      received += value.length;
      yield value;
    }
    if (bytes !== null && received !== bytes) throw broken(url);
  } finally {
    await reader?.cancel().catch(() => {});
  }
}

function broken(url: string, cause?: unknown): OperatingError {
  const hint = 'What arrived is not whole: do not use it. file_verify and file_repair show and mend damage.';
  return new OperatingError('download_broken', `the download from ${url} broke off`, hint, cause);
}

/** @param offset first byte of the file to send */
export async function download(
  target: Target,
  path: string,
  offset: number,
  signal?: AbortSignal,
): Promise<Download> {
  const response = await exchange(target, path, {
    headers: offset === 0 ? {} : { range: `bytes=${offset}-` },
    ...(signal === undefined ? {} : { signal }),
  });
  if (!response.ok) return answerError(response);
  const length = response.headers.get('content-length');
  const bytes = length === null ? null : Number(length);
  return { name: nameOf(response), bytes, stream: whole(response.body, bytes, target.url) };
}
