import { createHash } from 'node:crypto';

const NUMBERS = 4096;

/**
 * Everything that happens in a run, as one hash: the same seed must give the same one. Besides, what a person reads when the run
 * fails: the last lines, or with `detailed` every message.
 */
export class Trace {
  private readonly hash = createHash('sha256');
  private readonly numbers = new Float64Array(NUMBERS);
  private used = 0;
  private lines: string[] = [];
  /** Simulated milliseconds, for the lines. */
  nowMs = 0;

  constructor(
    readonly detailed: boolean,
    private readonly linesMax: number,
  ) {}

  mix(a: number, b: number, c: number): void {
    if (this.used + 4 > NUMBERS) this.flush();
    const { numbers } = this;
    numbers[this.used] = this.nowMs;
    numbers[this.used + 1] = a;
    numbers[this.used + 2] = b;
    numbers[this.used + 3] = c;
    this.used += 4;
  }

  private flush(): void {
    this.hash.update(new Uint8Array(this.numbers.buffer, 0, this.used * 8));
    this.used = 0;
  }

  line(text: string): void {
    this.hash.update(text);
    this.lines.push(`${this.nowMs.toFixed(1).padStart(9)} ${text}`);
    if (this.lines.length > 2 * this.linesMax) this.lines = this.lines.slice(-this.linesMax);
  }

  /** The last lines. */
  get recent(): string {
    return this.lines.slice(-this.linesMax).join('\n');
  }

  /** Ends the trace. */
  digest(): string {
    this.flush();
    return this.hash.digest('hex');
  }
}
