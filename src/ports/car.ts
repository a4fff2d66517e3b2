import type { Blob } from './blob-store.ts';

/** CAR archives, version 1: blocks behind each other, with the root named at the start. `src/store/car.ts` implements it. */
export interface CarFormat {
  write(root: string, blocks: AsyncIterable<Blob>): AsyncIterable<Uint8Array>;
  /**
   * The blocks in their order, one in memory at a time; nothing is verified but the form. Throws OperatingError `bad_car` for
   * what is no CAR, and for blocks above `blockBytesMax`.
   */
  read(
    source: AsyncIterable<Uint8Array>,
    blockBytesMax: number,
  ): Promise<{ readonly roots: readonly string[]; readonly blocks: AsyncIterable<Blob> }>;
}
