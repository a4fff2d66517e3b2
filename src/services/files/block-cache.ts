/** Blocks that were read and hashed a moment ago: several nodes ask for the same ones at about the same time. */
export class BlockCache {
  /** Least recently used first. */
  private readonly blocks = new Map<string, Uint8Array>();
  private bytes = 0;

  constructor(private readonly bytesMax: number) {}

  get(cid: string): Uint8Array | null {
    const bytes = this.blocks.get(cid);
    if (bytes === undefined) return null;
    this.blocks.delete(cid);
    this.blocks.set(cid, bytes);
    return bytes;
  }

  put(cid: string, bytes: Uint8Array): void {
    if (this.blocks.has(cid)) return;
    this.blocks.set(cid, bytes);
    this.bytes += bytes.length;
    for (const [oldest, { length }] of this.blocks) {
      if (this.bytes <= this.bytesMax) return;
      this.blocks.delete(oldest);
      this.bytes -= length;
    }
  }
}
