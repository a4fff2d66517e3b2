import type { Devnet } from './devnet.ts';

const CALL_TIMEOUT_MS = 60_000;

export interface Written {
  readonly id: string;
  readonly text: string;
}

/** Writes records into a phase without a break, several at a time; keeps what was acknowledged and what was not. */
export class SteadyWriter {
  readonly acknowledged: Written[] = [];
  /** Texts whose call failed: nobody was told that they are written, so they may be there or not. */
  readonly unknown: { readonly text: string; readonly error: unknown }[] = [];
  private longestGapMs = 0;
  private lastMs = Date.now();
  private stopping = false;
  private readonly lanes: Promise<void>[];
  private next = 0;

  constructor(
    private readonly devnet: Devnet,
    private readonly member: string,
    private readonly phase: string,
    atOnce: number,
  ) {
    this.lanes = Array.from({ length: atOnce }, () => this.lane());
  }

  private async lane(): Promise<void> {
    const client = await this.devnet.client(this.member);
    while (!this.stopping) {
      const text = `record ${this.next++}`;
      const params = { phase: this.phase, type: 'note', text };
      try {
        const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
        const { id } = await client.call<{ id: string }>('record_put', params, { signal });
        this.acknowledged.push({ id, text });
        const nowMs = Date.now();
        this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.lastMs);
        this.lastMs = nowMs;
      } catch (error) {
        this.unknown.push({ text, error });
        if (this.unknown.length > 100) throw new Error('the writer fails again and again', { cause: error });
      }
    }
  }

  /** Longest time without an acknowledged record since the last call, in milliseconds. */
  takeGapMs(): number {
    const gapMs = Math.max(this.longestGapMs, Date.now() - this.lastMs);
    this.longestGapMs = 0;
    return gapMs;
  }

  /** Ends after the calls that are under way. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.lanes);
  }
}
