import { isReject } from '../../core/base/reject.ts';
import type { SnapshotRequest } from '../../core/snapshot/chunks.ts';
import type { SnapshotFetch } from '../../core/snapshot/fetch.ts';
import type { SnapshotStage } from '../../ports/chain-store.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { SnapshotClientConfig } from './snapshot-client.ts';

/** Requests to one peer that are under way at the same time. */
const REQUESTS_PER_PEER = 2;
/** A peer that has failed so often in a row is not asked again for this snapshot. */
const FAILURES_MAX = 3;

export type TransferConfig = Pick<
  SnapshotClientConfig,
  'limits' | 'signal' | 'ask' | 'helped' | 'penalise' | 'inspect'
>;

/** One snapshot on its way, from all peers at once. */
export class SnapshotTransfer {
  private waiting: (() => void)[] = [];
  private inFlight = 0;
  /** Accepted, and not yet stored. */
  private storing = 0;
  private broken: { readonly error: unknown } | null = null;
  /** Who is being asked for a page of scopes. */
  private readonly listing = new Set<PeerId>();

  /** @param listersMax how many race for a page of scopes: one that answers just in time would hold up everything */
  constructor(
    private readonly config: TransferConfig,
    private readonly fetch: SnapshotFetch,
    private readonly stage: SnapshotStage,
    private readonly listersMax: number,
  ) {}

  /** Resolves when all has come, or nobody is left who could give it. Throws when this node's own disk fails. */
  async run(holders: ReadonlySet<PeerId>, peers: readonly PeerId[]): Promise<void> {
    const all = [...holders, ...peers.filter(peer => !holders.has(peer))];
    const seats = Array.from({ length: REQUESTS_PER_PEER }, () => all).flat();
    const work = seats
      .slice(0, this.config.limits.chunksInFlight)
      .map(peer => this.work(peer, holders.has(peer)));
    // those who were overtaken with the last page are not waited for
    await Promise.race([Promise.all(work), this.whole()]);
    if (this.broken !== null) throw this.broken.error;
  }

  /** All has come, and is stored. */
  private async whole(): Promise<void> {
    while (!this.fetch.complete || this.storing > 0) await this.woken();
  }

  private async work(peer: PeerId, holds: boolean): Promise<void> {
    try {
      await this.askOn(peer, holds);
    } catch (error) {
      this.broken ??= { error };
    } finally {
      this.wakeAll();
    }
  }

  private isOver(): boolean {
    return this.fetch.complete || this.broken !== null || this.config.signal.aborted;
  }

  /** One peer's questions, one after the other, until nothing is left or the peer is of no use. */
  private async askOn(peer: PeerId, holds: boolean): Promise<void> {
    for (let failures = 0; failures < FAILURES_MAX && !this.isOver(); ) {
      const request = this.fetch.next(holds && !this.listing.has(peer) ? this.listersMax : 0);
      if (request === null) {
        // what is under way may end in further questions
        if (this.inFlight === 0) return;
        await this.woken();
        continue;
      }
      this.inFlight += 1;
      const result = await this.askFor(peer, request).finally(() => {
        this.inFlight -= 1;
      });
      this.wakeAll();
      if (result === 'bad') return;
      failures = result === 'good' ? 0 : failures + 1;
    }
  }

  private async askFor(peer: PeerId, request: SnapshotRequest): Promise<'good' | 'nothing' | 'bad'> {
    const { fetch } = this;
    if (request.kind === 'scopes') this.listing.add(peer);
    const answer = await this.config.ask(peer, { kind: 'chunk', request });
    if (request.kind === 'scopes') this.listing.delete(peer);
    const writes = answer?.kind === 'chunk' ? fetch.accept(request, answer.chunk) : null;
    if (writes === null || isReject(writes)) {
      fetch.failed(request);
      if (writes === null) return 'nothing';
      this.config.penalise(peer, writes);
      return 'bad';
    }
    this.config.helped(peer);
    this.storing += 1;
    for (const { certificate, set } of writes.blocks) await this.config.inspect(certificate, set);
    await this.stage.put(writes, []);
    // not after a failure: then nothing is whole
    this.storing -= 1;
    return 'good';
  }

  private woken(): Promise<void> {
    return new Promise(resolve => this.waiting.push(resolve));
  }

  private wakeAll(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }
}
