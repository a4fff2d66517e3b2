import { type Io, printable } from '../io.ts';

const DRAW_MS = 200;
/** The rate is of about this long: what was a minute ago says little about when the rest will be there. */
const RATE_MS = 5_000;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes === 0) return `${whole} s`;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes} min ${whole % 60} s` : `${hours} h ${minutes % 60} min`;
}

/** What a transfer is at: `store` encrypts and stores, or receives; the other stages follow it. */
export interface TransferState {
  readonly stage: string;
  readonly bytes: number;
  readonly total: number;
}

/**
 * One line about a transfer, drawn over itself on a terminal: stage, bytes, rate and the time that is left. Says nothing where
 * nobody watches: into files, pipes and programs only results go.
 */
export class TransferProgress {
  private readonly samples: { readonly atMs: number; readonly bytes: number }[] = [];
  private drawnMs = Number.NEGATIVE_INFINITY;
  private stage = '';
  private shown = false;

  /** @param nowMs monotonic milliseconds */
  constructor(
    private readonly io: Pick<Io, 'interactive'> & { draw(text: string): void },
    private readonly what: string,
    private readonly nowMs: () => number,
  ) {}

  update({ stage, bytes, total }: TransferState): void {
    if (!this.io.interactive) return;
    const atMs = this.nowMs();
    if (stage !== this.stage) this.samples.length = 0;
    else if (atMs - this.drawnMs < DRAW_MS) return;
    this.stage = stage;
    this.drawnMs = atMs;
    this.samples.push({ atMs, bytes });
    while (this.samples.length > 2 && atMs - this.samples[0]!.atMs > RATE_MS) this.samples.shift();
    const first = this.samples[0]!;
    const perSecond = atMs > first.atMs ? ((bytes - first.bytes) * 1000) / (atMs - first.atMs) : 0;
    this.io.draw(`\r\u001b[2K${printable(this.what)}: ${this.text(stage, bytes, total, perSecond)}`);
    this.shown = true;
  }

  /** Takes the line away: a result or an error follows. */
  end(): void {
    if (this.shown) this.io.draw('\r\u001b[2K');
    this.shown = false;
  }

  private text(stage: string, bytes: number, total: number, perSecond: number): string {
    if (total === 0) return stage;
    const percent = Math.floor((bytes * 100) / total);
    const amount = `${stage}  ${formatBytes(bytes)} of ${formatBytes(total)} (${percent} %)`;
    if (perSecond <= 0) return amount;
    return `${amount}  ${formatBytes(perSecond)}/s  ${formatSeconds((total - bytes) / perSecond)} left`;
  }
}
