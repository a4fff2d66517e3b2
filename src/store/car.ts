import { CarBlockIterator, CarWriter } from '@ipld/car';
import { CID } from 'multiformats/cid';
import type { Blob } from '../ports/blob-store.ts';
import type { CarFormat } from '../ports/car.ts';
import { OperatingError } from '../ports/lifecycle.ts';

/** Header of a CAR with its roots, and the CID before each block, in bytes. */
const HEADER_BYTES_MAX = 4096;
const CID_BYTES_MAX = 128;
const VARINT_BYTES_MAX = 8;

function badCar(detail: string, cause?: unknown): OperatingError {
  return new OperatingError(
    'bad_car',
    `not a CAR that this node takes: ${detail}`,
    'Export the file again, with `phaseline file export` or `ipfs dag export`.',
    cause,
  );
}

/**
 * Passes the bytes on, and ends as soon as a section says that it is longer than it may be: the library would gather all of it
 * before it looks at it [95].
 */
async function* bounded(
  source: AsyncIterable<Uint8Array>,
  sectionBytesMax: number,
): AsyncGenerator<Uint8Array> {
  let skip = 0;
  let length = 0;
  let shift = 0;
  let limit = HEADER_BYTES_MAX;
  for await (const chunk of source) {
    let at = 0;
    while (at < chunk.length) {
      const skipped = Math.min(skip, chunk.length - at);
      skip -= skipped;
      at += skipped;
      if (at >= chunk.length) break;
      const byte = chunk[at]!;
      at += 1;
      length += (byte & 0x7f) * 2 ** shift;
      shift += 7;
      if (shift > 7 * VARINT_BYTES_MAX || length > limit)
        throw badCar(`a section has more than ${limit} bytes`);
      if (byte >= 0x80) continue;
      skip = length;
      [length, shift, limit] = [0, 0, sectionBytesMax];
    }
    yield chunk;
  }
}

async function* blocksOf(blocks: AsyncIterable<{ cid: CID; bytes: Uint8Array }>): AsyncIterable<Blob> {
  try {
    for await (const { cid, bytes } of blocks) yield { cid: cid.toString(), bytes };
  } catch (error) {
    throw error instanceof OperatingError ? error : badCar('it is cut or damaged', error);
  }
}

export const carFormat: CarFormat = {
  async *write(root, blocks) {
    const { writer, out } = CarWriter.create([CID.parse(root)]);
    const failure: { error?: unknown } = {};
    const feeding = (async () => {
      try {
        for await (const { cid, bytes } of blocks) await writer.put({ cid: CID.parse(cid), bytes });
      } catch (error) {
        failure.error = error;
      } finally {
        await writer.close();
      }
    })();
    for await (const chunk of out) yield chunk;
    await feeding;
    if ('error' in failure) throw failure.error;
  },

  async read(source, blockBytesMax) {
    try {
      const reader = await CarBlockIterator.fromIterable(bounded(source, blockBytesMax + CID_BYTES_MAX));
      const roots = (await reader.getRoots()).map(cid => cid.toString());
      return { roots, blocks: blocksOf(reader) };
    } catch (error) {
      throw error instanceof OperatingError ? error : badCar('it has no header', error);
    }
  },
};
