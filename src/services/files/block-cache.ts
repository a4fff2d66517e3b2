/**
 * Blocks that were read and hashed a moment ago: several nodes ask for the same ones at about the same time. The oldest goes
 * first, used or not: what all have had takes no room from what some are still behind for. The bytes are copied into one piece of
 * memory and out of it: a buffer that stays for a while is one that the garbage collector goes through everything for.
 */
export class BlockCache {
  private memory: Uint8Array | null = null;
  /** Oldest first; in the memory they follow each other in this order, round and round. */
  private readonly places = new Map<string, { readonly at: number; readonly bytes: number }>();
  private next = 0;

  constructor(private readonly bytesMax: number) {}

  /** A copy. */
  get(cid: string): Uint8Array | null {
    const place = this.places.get(cid);
    if (place === undefined || this.memory === null) return null;
    // every byte of it is written
    const copy = new Uint8Array(Buffer.allocUnsafeSlow(place.bytes).buffer);
    copy.set(this.memory.subarray(place.at, place.at + place.bytes));
    return copy;
  }

  put(cid: string, bytes: Uint8Array): void {
    // an empty block has no place of its own, and would be taken for the oldest
    if (bytes.length === 0 || bytes.length > this.bytesMax || this.places.has(cid)) return;
    this.memory ??= new Uint8Array(this.bytesMax);
    if (this.next + bytes.length > this.bytesMax) {
      this.forget(this.next, this.bytesMax);
      this.next = 0;
    }
    this.forget(this.next, this.next + bytes.length);
    this.memory.set(bytes, this.next);
    this.places.set(cid, { at: this.next, bytes: bytes.length });
    this.next += bytes.length;
  }

  /** What begins in this part of the memory; the oldest is the first behind where the last was written. */
  private forget(from: number, to: number): void {
    for (const [cid, { at }] of this.places) {
      if (at < from || at >= to) return;
      this.places.delete(cid);
    }
  }
}
