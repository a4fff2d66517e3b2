import type { Readable } from 'node:stream';
import type { FileInput } from '../../api.ts';
import { openLocalFile } from '../../streams.ts';

export interface LocalFile {
  readonly path: string;
  /** Null for the name that it has on the disk. */
  readonly name: string | null;
  readonly mediaType: string;
}

/** Opens files of this machine as inputs of a record; `close` frees what was not read. */
export async function openLocalFiles(
  files: readonly LocalFile[],
): Promise<{ inputs: FileInput[]; close: () => void }> {
  const streams: Readable[] = [];
  const close = () => {
    for (const stream of streams) stream.destroy();
  };
  const inputs: FileInput[] = [];
  try {
    for (const file of files) {
      const { name, bytes, source } = await openLocalFile(file.path);
      streams.push(source);
      inputs.push({ name: file.name ?? name, mediaType: file.mediaType, source, bytes });
    }
  } catch (error) {
    close();
    throw error;
  }
  return { inputs, close };
}
