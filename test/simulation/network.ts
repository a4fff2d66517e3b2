import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';

export interface LinkQuality {
  /** Probability that a message is lost. */
  readonly loss: number;
  readonly duplication: number;
  readonly delayMsMin: number;
  /** The wider the range, the more is reordered. */
  readonly delayMsMax: number;
}

export const CLEAN_LINK: LinkQuality = { loss: 0, duplication: 0, delayMsMin: 1, delayMsMax: 6 };

/** Messages between node indexes; a blocked link loses everything sent over it, in one direction. */
export class Network<Payload> {
  quality: LinkQuality = CLEAN_LINK;
  sent = 0;
  private readonly blocked = new Set<string>();
  /** Messages of the past, for replays (SCENARIOS 63). */
  private readonly archive: { from: number; to: number; payload: Payload }[] = [];

  constructor(
    private readonly schedule: Schedule,
    private readonly random: Random,
    private readonly deliver: (from: number, to: number, payload: Payload) => void,
  ) {}

  block(from: number, to: number): void {
    this.blocked.add(`${from}>${to}`);
  }

  unblockAll(): void {
    this.blocked.clear();
  }

  isOpen(from: number, to: number): boolean {
    return !this.blocked.has(`${from}>${to}`);
  }

  send(from: number, to: number, payload: Payload): void {
    this.sent += 1;
    if (this.archive.length < 512) this.archive.push({ from, to, payload });
    else this.archive[this.random.between(0, 511)] = { from, to, payload };
    if (!this.isOpen(from, to) || this.random.chance(this.quality.loss)) return;
    const copies = this.random.chance(this.quality.duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const { delayMsMin, delayMsMax } = this.quality;
      this.schedule.after(this.random.between(delayMsMin, delayMsMax), () => this.deliver(from, to, payload));
    }
  }

  /** Delivers an old message once more, to its receiver. */
  replayOld(): void {
    if (this.archive.length === 0) return;
    const { from, to, payload } = this.random.pick(this.archive);
    this.schedule.after(1, () => this.deliver(from, to, payload));
  }
}
