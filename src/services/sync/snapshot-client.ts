import { assertDefined } from '../../core/base/assert.ts';
import type { LogId, Suite } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { readLog, readSystem } from '../../core/ledger/read.ts';
import { advanceTrust, type SetChange, type Trust } from '../../core/light/trust.ts';
import { appendLeaves, EMPTY_FRONTIER, type Frontier } from '../../core/merkle/log.ts';
import { faultsTolerated } from '../../core/quorum/quorum.ts';
import { type HeldPart, SnapshotFetch, type SnapshotTarget } from '../../core/snapshot/fetch.ts';
import type { Certificate, ValidatorSet } from '../../core/types/chain.ts';
import type { ChainStore, ServedSnapshots, SnapshotStage } from '../../ports/chain-store.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId } from '../../ports/transport.ts';
import { SYNC_WIRE_LIMITS, type SyncAnswer, type SyncRequest } from '../../wire/sync.ts';
import type { SyncLimits } from './limits.ts';
import { SnapshotTransfer } from './snapshot-transfer.ts';

export interface SnapshotClientConfig {
  readonly store: ChainStore;
  readonly served: ServedSnapshots;
  readonly suite: Suite;
  readonly logger: Logger;
  readonly limits: SyncLimits;
  readonly signal: AbortSignal;
  /** Null when the peer did not answer, or refused. */
  ask(peer: PeerId, request: SyncRequest): Promise<SyncAnswer | null>;
  /** The peer gave what was asked for. */
  helped(peer: PeerId): void;
  /** The peer did not give what it offered, which need not be its fault: a newer snapshot may have taken the place. */
  silent(peer: PeerId): void;
  /** The peer said what does not verify. */
  penalise(peer: PeerId, fault: Reject): void;
  /** Sees each verified certificate; throws to stop this node. */
  inspect(certificate: Certificate, set: ValidatorSet): Promise<void>;
  /** Runs `install` while no block is committed, unless the head is at this height by now. */
  install(height: number, install: () => Promise<void>): Promise<void>;
}

interface Found {
  readonly target: SnapshotTarget;
  readonly changes: readonly SetChange[];
  /** Peers that offered a snapshot of this height. */
  readonly holders: ReadonlySet<PeerId>;
}

/** Fetches the newest certified snapshot from all peers at once and installs it (SCENARIOS 50 to 54). */
export class SnapshotClient {
  private current: SnapshotFetch | null = null;

  constructor(private readonly config: SnapshotClientConfig) {}

  /** Height of the snapshot that is being fetched; null when none is. */
  get height(): number | null {
    return this.current?.height ?? null;
  }

  /**
   * @param heightMin lower snapshots are left alone, whatever heights peers claim: whoever is a little behind takes blocks
   * @returns true when the head is that of a snapshot now
   */
  async run(peers: readonly PeerId[], heightMin: number): Promise<boolean> {
    const found = await this.find(peers, heightMin);
    if (found === null) return false;
    const { store, logger, served } = this.config;
    const stage = store.stage();
    const fetch = new SnapshotFetch(this.config.suite, found.target, this.held(stage));
    const { height } = fetch;
    logger.info({ height, from: found.holders.size }, 'fetching a snapshot');
    this.current = fetch;
    try {
      await stage.begin();
      // one of so many is not faulty
      const listersMax = 1 + faultsTolerated(this.head().set.validators.length);
      await new SnapshotTransfer(this.config, fetch, stage, listersMax).run(found.holders, peers);
      if (this.config.signal.aborted) return false;
      if (!fetch.complete) {
        // who offers what it does not give would be asked for it again and again
        for (const peer of found.holders) this.config.silent(peer);
        return false;
      }
      const end = fetch.finish();
      if (isReject(end)) {
        logger.error({ height, detail: end.detail }, 'a complete snapshot does not give the certified map');
        return false;
      }
      await stage.put({ state: new Map(), leaves: [], blocks: [], bodies: [] }, found.changes);
      await this.config.install(height, async () => {
        // a copy under way reads map nodes that are gone afterwards; none begins in this turn
        await served.idle();
        await stage.install(end);
        // it lacks the blocks before, as its sources may soon: so it has this to offer in their place
        served.take();
      });
      logger.info({ height, logs: fetch.progress.scopes }, 'snapshot installed');
      return true;
    } finally {
      this.current = null;
    }
  }

  /** The snapshot that most peers offer, and of those the highest, that anybody can certify. */
  private async find(peers: readonly PeerId[], heightMin: number): Promise<Found | null> {
    const knownHeight = this.head().header.height;
    const offers = await Promise.all(
      peers.map(async peer => {
        const offer = await this.config.ask(peer, { kind: 'offer', knownHeight });
        return { peer, height: offer?.kind === 'offer' ? offer.snapshotHeight : 0 };
      }),
    );
    const usable = offers.filter(({ height }) => height >= heightMin);
    // nodes that keep to the protocol have snapshots of the same heights: one that many have is not made up
    const countOf = (height: number) => usable.filter(offer => offer.height === height).length;
    usable.sort((a, b) => countOf(b.height) - countOf(a.height) || b.height - a.height);
    for (const { peer, height } of usable) {
      const certified = await this.certify(peer);
      if (isReject(certified)) this.config.penalise(peer, certified);
      else if (certified !== null && certified.target.certified.header.height >= height) {
        const top = certified.target.certified.header.height;
        const holders = new Set(usable.filter(offer => offer.height === top).map(offer => offer.peer));
        return { ...certified, holders: holders.add(peer) };
      }
    }
    return null;
  }

  /** Follows the set changes from this node's head to the peer's snapshot, in as many rounds as that takes. */
  private async certify(peer: PeerId): Promise<Omit<Found, 'holders'> | Reject | null> {
    let trust: Trust = this.head();
    const first = { fromHeight: readSystem(this.config.store.state).setChangeHeight, set: trust.set };
    const changes: SetChange[] = [];
    for (let promised = 0; ; ) {
      const offer = await this.config.ask(peer, { kind: 'offer', knownHeight: trust.header.height });
      if (offer?.kind !== 'offer') return null;
      const { certified, snapshotHeight } = offer;
      if (certified === null) return promised > 0 ? reject('wrong_offer', `height ${promised}`) : null;
      promised = snapshotHeight;
      const next = advanceTrust(this.config.suite, trust, { setChanges: offer.changes, head: certified });
      if (isReject(next)) return next.peer === 'ignore' ? null : next;
      changes.push(...offer.changes);
      if (certified.header.height === snapshotHeight) {
        const sets = changes.map(({ certified: { header }, nextSet }) => ({
          fromHeight: header.height,
          set: nextSet,
        }));
        return { target: { certified, sets: [first, ...sets] }, changes };
      }
      // before its snapshot an offer ends only where it is full: header by header, the way there could take for ever
      const isFull = offer.changes.length === SYNC_WIRE_LIMITS.setChangesPerOffer;
      if (next === trust || !isFull || certified.header.height > snapshotHeight) {
        return reject('wrong_offer', `height ${certified.header.height} of ${snapshotHeight}`);
      }
      trust = next;
    }
  }

  private head(): Trust {
    const { store } = this.config;
    const { block, hash } = assertDefined(store.head(), 'the chain has its genesis block');
    return { header: block.header, hash, set: readSystem(store.state).validatorSet };
  }

  private held(stage: SnapshotStage): HeldPart {
    const { store, suite } = this.config;
    return {
      frontier: (logId: LogId, sizeMax: number): Frontier => {
        const size = Math.min(stage.heldSize(logId), sizeMax);
        const row = readLog(store.state, logId);
        const start = row === null || row.size > size ? EMPTY_FRONTIER : row.frontier;
        return appendLeaves(suite.sha256, start, stage.heldHashes(logId, start.size, size));
      },
      hasBlock: height => stage.hasBlock(height),
      blocksFrom: store.history.blocksFrom,
    };
  }
}
