import type { Io } from '../io.ts';

const STEPS = 20;

/** A line of progress: drawn over itself on a terminal, one line a twentieth elsewhere. */
export class Progress {
  private done = 0;
  private shown = -1;

  constructor(
    private readonly io: Io,
    private readonly what: string,
    private readonly total: number,
  ) {}

  add(count: number): void {
    this.done += count;
    const step = Math.floor((this.done * STEPS) / Math.max(this.total, 1));
    if (step === this.shown) return;
    this.shown = step;
    const percent = Math.floor((this.done * 100) / Math.max(this.total, 1));
    const line = `${this.what}: ${this.done} of ${this.total} (${percent} %)`;
    if (this.io.interactive) process.stderr.write(`\r${line}`);
    else this.io.err(line);
  }

  end(): void {
    if (this.io.interactive) process.stderr.write('\n');
  }
}
