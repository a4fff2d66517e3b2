import type { Draws } from '../random.ts';
import type { Pipe } from './pipe.ts';

export interface Quality {
  /** Every chunk arrives this much later … */
  readonly delayMs: number;
  /** … and up to this much more, never overtaking. */
  readonly jitterMs: number;
  /** 0 for no limit. */
  readonly bytesPerSecond: number;
  /** Chance of a chunk to be lost and sent again by TCP: everything behind it waits. */
  readonly lossChance: number;
  readonly resendMs: number;
}

export const GOOD: Quality = { delayMs: 0, jitterMs: 0, bytesPerSecond: 0, lossChance: 0, resendMs: 0 };

/** What flows from one node to another, over whichever connections there are between the two. */
export class Direction {
  readonly pipes = new Set<Pipe>();
  private isOpen = true;
  private quality = GOOD;
  private toGarble = 0;
  private sentUntilMs = 0;

  constructor(private readonly draws: Draws) {}

  get open(): boolean {
    return this.isOpen;
  }

  /** Closed, nothing arrives, and nothing is lost either: TCP sends it again when the path is back. */
  setOpen(open: boolean): void {
    this.isOpen = open;
    for (const pipe of [...this.pipes]) pipe.pump();
  }

  setQuality(quality: Partial<Quality>): void {
    this.quality = { ...GOOD, ...quality };
  }

  /** The next chunk arrives with one bit turned. */
  garbleNext(): void {
    this.toGarble += 1;
  }

  garbled(bytes: Buffer): Buffer {
    if (this.toGarble === 0) return bytes;
    this.toGarble -= 1;
    const wrong = Buffer.from(bytes);
    const at = this.draws.between(0, wrong.length - 1);
    wrong[at] = wrong[at]! ^ (1 << this.draws.between(0, 7));
    return wrong;
  }

  /** How much later a chunk arrives than it was sent, in milliseconds. */
  delayMs(bytes: number): number {
    const { delayMs, jitterMs, bytesPerSecond, lossChance, resendMs } = this.quality;
    const lost = lossChance > 0 && this.draws.fraction() < lossChance;
    const pathMs = delayMs + (jitterMs > 0 ? this.draws.fraction() * jitterMs : 0) + (lost ? resendMs : 0);
    if (bytesPerSecond === 0) return pathMs;
    const nowMs = performance.now();
    this.sentUntilMs = Math.max(this.sentUntilMs, nowMs) + (bytes * 1000) / bytesPerSecond;
    return this.sentUntilMs - nowMs + pathMs;
  }
}
