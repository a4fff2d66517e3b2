/** Where direct reads and writes begin, in memory and in the file, and what their length is a multiple of, in bytes. */
export const ALIGNED_BYTES = 4096;
/** Bytes of one piece: a leaf of a file's tree. */
const PIECE_BYTES = 1024 * 1024;
/** As many as the threads that Node reads and writes with. */
const PIECES = 4;
/** Of WebAssembly. */
const PAGE_BYTES = 64 * 1024;

/**
 * Memory on borders of pages, which a direct read or write needs and Node's buffers are not on: that of WebAssembly is. It is
 * lent in pieces; whoever finds none waits.
 */
class AlignedMemory {
  private readonly free: Uint8Array[];
  private readonly waiting: ((piece: Uint8Array) => void)[] = [];

  constructor() {
    const { buffer } = new WebAssembly.Memory({ initial: (PIECES * PIECE_BYTES) / PAGE_BYTES });
    this.free = Array.from(
      { length: PIECES },
      (_, index) => new Uint8Array(buffer, index * PIECE_BYTES, PIECE_BYTES),
    );
  }

  async lend<T>(work: (piece: Uint8Array) => Promise<T>): Promise<T> {
    const piece = this.free.pop() ?? (await new Promise<Uint8Array>(resolve => this.waiting.push(resolve)));
    try {
      return await work(piece);
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free.push(piece);
      else next(piece);
    }
  }
}

let memory: AlignedMemory | null = null;

/** One for the whole process. @throws RangeError when the system gives none */
export function lendAligned<T>(work: (piece: Uint8Array) => Promise<T>): Promise<T> {
  memory ??= new AlignedMemory();
  return memory.lend(work);
}
