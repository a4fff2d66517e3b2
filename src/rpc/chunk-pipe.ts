/** Chunks that may wait for the reader before the writer has to. */
const CHUNKS_WAITING_MAX = 8;

/**
 * Bytes from writers that come and go to one reader that stays: what an interrupted upload goes on through. The reader sees one
 * stream; a writer waits while the reader is behind.
 */
export class ChunkPipe implements AsyncIterable<Uint8Array> {
  private readonly chunks: Uint8Array[] = [];
  private ended = false;
  private closed = false;
  private failure: { readonly error: unknown } | null = null;
  private wakeReader: (() => void) | null = null;
  private wakeWriter: (() => void) | null = null;

  /** Resolves when there is room for more. One writer at a time. @returns false when the reader is gone */
  async write(chunk: Uint8Array): Promise<boolean> {
    if (this.closed) return false;
    this.chunks.push(chunk);
    this.wake();
    while (this.chunks.length >= CHUNKS_WAITING_MAX && !this.closed) {
      await new Promise<void>(resolve => {
        this.wakeWriter = resolve;
      });
    }
    return !this.closed;
  }

  /** No more bytes: the reader's stream ends. */
  end(): void {
    this.ended = true;
    this.wake();
  }

  /** The reader's stream fails, at once. */
  fail(error: unknown): void {
    this.failure ??= { error };
    this.wake();
  }

  /** The reader is gone, or will never come: no writer waits for it. */
  close(): void {
    this.closed = true;
    this.chunks.length = 0;
    this.wakeWriter?.();
    this.wakeWriter = null;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        if (this.failure !== null) throw this.failure.error;
        const chunk = this.chunks.shift();
        if (chunk !== undefined) {
          this.wakeWriter?.();
          this.wakeWriter = null;
          yield chunk;
        } else if (this.ended) return;
        else
          await new Promise<void>(resolve => {
            this.wakeReader = resolve;
          });
      }
    } finally {
      this.close();
    }
  }

  private wake(): void {
    this.wakeReader?.();
    this.wakeReader = null;
  }
}
