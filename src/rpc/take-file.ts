import type { PhaseId } from '../core/base/ids.ts';
import { openLocalFile } from './streams.ts';
import type { Upload, Uploads } from './uploads.ts';

export interface LocalUpload {
  readonly phase: PhaseId;
  readonly path: string;
  /** Null for the name that it has on the disk. */
  readonly name: string | null;
  readonly mediaType: string;
}

async function* until(signal: AbortSignal, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    yield chunk;
    if (signal.aborted) return;
  }
}

/**
 * Takes a file of this machine in until it is whole or the signal fires, at least a piece of it; goes on with what an earlier
 * call for the same unchanged file left. A whole one is stored when this resolves, unless the signal fired before. The upload is
 * taken up then: the caller leaves it.
 *
 * @throws RpcFailure as `openLocalFile`; what storing failed with
 */
export async function takeLocalFile(
  uploads: Uploads,
  { phase, path, name, mediaType }: LocalUpload,
  signal: AbortSignal,
): Promise<Upload> {
  const file = await openLocalFile(path);
  let upload: Upload | null = null;
  try {
    const fingerprint = `${path}\n${file.identity}`;
    const { bytes } = file;
    upload =
      uploads.again(phase, fingerprint) ??
      uploads.open({ phase, name: name ?? file.name, mediaType, bytes, fingerprint, record: null });
    uploads.takeUp(upload.id);
    await uploads.receive(upload.id, until(signal, file.read(upload.offset)));
    return upload.offset === bytes ? await uploads.settled(upload.id) : upload;
  } catch (error) {
    if (upload !== null) {
      uploads.leave(upload.id);
      await uploads.remove(upload.id);
    }
    throw error;
  } finally {
    await file.close();
  }
}
