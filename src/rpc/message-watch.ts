const CONTROL_FROM = 8;

/**
 * Follows the frames that a client sends (RFC 6455 section 5.2), to know whether a message has begun and not ended: the
 * WebSocket library does not tell, and control frames between its parts would pass for signs of life.
 */
export class MessageWatch {
  private readonly header = new Uint8Array(14);
  private headerBytes = 0;
  private payloadLeft = 0;
  /** Of the frame being read: whether the message goes on after it. */
  private goesOn = false;
  private inFrame = false;
  private fragmented = false;
  /** Counts the messages that began; the same number twice means the same message. */
  private begun = 0;

  /** @returns a number that names the message under way, or null between messages */
  get unfinished(): number | null {
    return this.inFrame || this.fragmented || this.headerBytes > 0 ? this.begun : null;
  }

  feed(chunk: Uint8Array): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.payloadLeft > 0) {
        const bytes = Math.min(this.payloadLeft, chunk.length - offset);
        this.payloadLeft -= bytes;
        offset += bytes;
        if (this.payloadLeft === 0) this.endFrame();
        continue;
      }
      if (this.headerBytes === 0 && !this.fragmented) this.begun += 1;
      this.header[this.headerBytes] = chunk[offset]!;
      this.headerBytes += 1;
      offset += 1;
      if (this.headerBytes >= 2 && this.headerBytes === this.headerLength()) this.beginFrame();
    }
  }

  private headerLength(): number {
    const length = this.header[1]! & 0x7f;
    const extended = length === 126 ? 2 : length === 127 ? 8 : 0;
    return 2 + extended + ((this.header[1]! & 0x80) === 0 ? 0 : 4);
  }

  private beginFrame(): void {
    const view = new DataView(this.header.buffer);
    const length = this.header[1]! & 0x7f;
    this.payloadLeft =
      length === 126 ? view.getUint16(2) : length === 127 ? Number(view.getBigUint64(2)) : length;
    const opcode = this.header[0]! & 0x0f;
    const final = (this.header[0]! & 0x80) !== 0;
    this.goesOn = opcode >= CONTROL_FROM ? this.fragmented : !final;
    this.inFrame = true;
    this.headerBytes = 0;
    if (this.payloadLeft === 0) this.endFrame();
  }

  private endFrame(): void {
    this.inFrame = false;
    this.fragmented = this.goesOn;
  }
}
