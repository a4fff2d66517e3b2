import type { Suite } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { readSystem } from '../../core/ledger/read.ts';
import { faultsTolerated } from '../../core/quorum/quorum.ts';
import type { Certificate, ValidatorSet } from '../../core/types/chain.ts';
import type { ChainStore, ServedSnapshots } from '../../ports/chain-store.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import {
  type SyncAnswer,
  type SyncBlock,
  type SyncRequest,
  syncAnswerCodec,
  syncHeadCodec,
  syncRequestCodec,
} from '../../wire/sync.ts';
import { checkBlocksAnswer, readBlocks } from './blocks.ts';
import {
  SYNC_FRAME_BYTES_MAX,
  SYNC_LIMITS,
  SYNC_OUTBOX_BYTES_MAX,
  SYNC_PROTOCOL,
  SYNC_REQUESTS_IN_FLIGHT_MAX,
  type SyncLimits,
} from './limits.ts';
import { SnapshotClient } from './snapshot-client.ts';
import { SnapshotServer } from './snapshot-server.ts';
import { Sources } from './sources.ts';

const NOT_VALIDATOR = 'not_validator';

export interface SyncTarget {
  headHeight(): number;
  /**
   * Checks the block that follows the head (certificate, bodies, execution result) and commits it. Null when it is
   * committed, also when somebody else did meanwhile; a Reject blames the block, so its sender.
   */
  applyCertified(block: SyncBlock): Promise<Reject | null>;
  /** After the blocks of an answer, or a snapshot: the head has moved. */
  synced(): void;
  /** A verified certificate of a block that comes with a snapshot; throws to stop this node. */
  inspect(certificate: Certificate, set: ValidatorSet): Promise<void>;
  /** Puts a snapshot of this height in force while no block is committed; does nothing when the head is there by now. */
  installSnapshot(height: number, install: () => Promise<void>): Promise<void>;
  /** This node itself can no longer do its work. */
  fail(error: unknown): void;
  /** Those who get blocks from this node: connected peers of the current set, and who an open proposal would add to it. */
  connectedValidators(): readonly PeerId[];
}

export interface SyncConfig {
  readonly store: ChainStore;
  readonly served: ServedSnapshots;
  readonly suite: Suite;
  readonly target: SyncTarget;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Behind by more blocks than this, the node takes a snapshot rather than blocks; Infinity for one that wants every block
   * and takes a snapshot only where nobody has the blocks any more.
   */
  readonly snapshotBehindBlocks: number;
  /**
   * Peers that the operator vouches for, or a state that is lost did. They are asked as validators are: a node that slept while
   * every validator that it knows was removed learns the set of today from them. They are answered as validators only.
   */
  readonly vouched: () => readonly PeerId[];
  /** Answered though it is no validator of this node's state. */
  readonly serves?: (peer: PeerId) => boolean;
  /** Hears of a source that gives blocks to validators, and does not take this node for one. */
  readonly refused?: (peer: PeerId) => void;
  /** A block above the head that this node's own disk holds whole; it is verified as those of others are. */
  readonly ownBlock?: (height: number) => SyncBlock | null;
  readonly limits?: Partial<SyncLimits>;
}

/**
 * Brings this node to the head of the others by certified blocks, each verified and executed again, or by a certified
 * snapshot and the blocks after it. A source needs no trust: one that lies is left out and the next is asked (SCENARIOS 50 to
 * 54).
 */
export class Sync {
  private readonly limits: SyncLimits;
  private readonly sources: Sources;
  /** Height that the consensus engine knows to be committed; 0 when none is wanted. */
  private wanted = 0;
  private readonly snapshots: SnapshotClient;
  private readonly server: SnapshotServer;
  private exploring = false;
  /** Asked since the exploring began: the chain goes on meanwhile, and one that is silent must not make it go on for ever. */
  private readonly explored = new Set<PeerId>();
  private running: Promise<void> | null = null;
  private readonly abort = new AbortController();
  private again: Timer | null = null;
  private pause: { timer: Timer; end: () => void } | null = null;
  private readonly settled: (() => void)[] = [];

  constructor(private readonly config: SyncConfig) {
    this.limits = { ...SYNC_LIMITS, ...config.limits };
    this.sources = new Sources(config.clock, this.limits);
    const { store, served, suite, logger, target, clock } = config;
    const { limits } = this;
    this.server = new SnapshotServer({ store, served, suite, limits, clock });
    this.snapshots = new SnapshotClient({
      store,
      served,
      suite,
      logger,
      limits,
      signal: this.abort.signal,
      ask: (peer, request) => this.ask(peer, request),
      helped: peer => this.sources.helped(peer),
      silent: peer => this.sources.silent(peer),
      penalise: (peer, fault) => this.penalise(peer, fault),
      inspect: (certificate, set) => target.inspect(certificate, set),
      install: (height, install) => target.installSnapshot(height, install),
    });
  }

  /** Before the transport starts. */
  register(): void {
    const { transport, target } = this.config;
    transport.register(
      {
        id: SYNC_PROTOCOL,
        frameBytesMax: SYNC_FRAME_BYTES_MAX,
        outboxBytesMax: SYNC_OUTBOX_BYTES_MAX,
        requestsInFlightMax: SYNC_REQUESTS_IN_FLIGHT_MAX,
      },
      {
        message: (from, frame) => this.heard(from, frame),
        request: (from, frame) => this.answer(from, frame),
      },
    );
    transport.onEvents({
      connected: peer => {
        transport.send(peer, SYNC_PROTOCOL, syncHeadCodec.encode(target.headHeight()));
        this.wake();
      },
      disconnected: () => {},
    });
  }

  /** After each commit, before the next one. */
  onCommitted(height: number): void {
    this.server.onCommitted(height, this.running !== null);
  }

  /** For repairs: sources that are connected and not left out. */
  usablePeers(): readonly PeerId[] {
    return this.connectedSources().filter(peer => this.sources.isUsable(peer));
  }

  private connectedSources(): readonly PeerId[] {
    const { target, transport, vouched } = this.config;
    const connected = new Set(transport.peers().flatMap(({ peer, connected }) => (connected ? [peer] : [])));
    return [...new Set([...target.connectedValidators(), ...vouched().filter(peer => connected.has(peer))])];
  }

  /** Height of the snapshot that is being fetched; null when none is. */
  get snapshotHeight(): number | null {
    return this.snapshots.height;
  }

  /** @returns the height that is being worked towards, null when there is nothing to catch up with */
  get targetHeight(): number | null {
    if (this.running === null) return null;
    return this.goalHeight(this.connectedSources());
  }

  /** Catches up to a height that is known to be committed; works on until it is reached or the service stops. */
  catchUp(height: number): void {
    this.wanted = Math.max(this.wanted, height);
    this.wake();
  }

  /** Asks every connected source once what it has: this node may be behind by an unknown number of blocks. */
  explore(): void {
    this.exploring = true;
    this.explored.clear();
    this.wake();
  }

  /** Resolves when no catching up is under way. */
  idle(): Promise<void> {
    if (this.running === null) return Promise.resolve();
    return new Promise(resolve => this.settled.push(resolve));
  }

  async stop(): Promise<void> {
    this.abort.abort();
    this.pause?.end();
    this.again?.cancel();
    await this.running;
  }

  private heard(from: PeerId, frame: Uint8Array): Reject | null {
    const height = syncHeadCodec.decode(frame);
    if (isReject(height)) return height;
    const { target } = this.config;
    if (!this.connectedSources().includes(from)) return null;
    this.sources.claim(from, height);
    // a pause is not ended by what anybody may say as often as it likes
    if (height > target.headHeight() && this.running === null) this.wake();
    return null;
  }

  private wake(): void {
    this.pause?.end();
    if (this.running !== null || this.abort.signal.aborted || this.goal() === null) return;
    this.running = this.run()
      .catch(error => this.config.target.fail(error))
      .finally(() => {
        this.running = null;
        this.lookAgain();
        for (const resolve of this.settled.splice(0)) resolve();
      });
  }

  /** Who is left out may have what this node lacks, and says so once only: when it connects. */
  private lookAgain(): void {
    this.again?.cancel();
    const waitMs = this.abort.signal.aborted ? null : this.sources.waitMs(this.connectedSources());
    this.again = waitMs === null ? null : this.config.clock.setTimer(waitMs, () => this.explore());
  }

  /** Null when there is nothing to fetch. A claim is enough to try, but not to insist. */
  private goal(): { readonly askAll: boolean; readonly insist: boolean } | null {
    const { target } = this.config;
    const head = target.headHeight();
    if (this.wanted > head) return { askAll: true, insist: true };
    if (this.exploring) return { askAll: true, insist: false };
    const claimed = this.sources.claimed(this.connectedSources(), 0) > head;
    return claimed ? { askAll: false, insist: false } : null;
  }

  private async run(): Promise<void> {
    let tried = new Set<PeerId>();
    let fruitless = 0;
    /** Peers that no longer have the transactions of the next block. */
    let pruned = 0;
    const { target } = this.config;
    for (let goal = this.goal(); goal !== null && !this.abort.signal.aborted; goal = this.goal()) {
      const peers = this.connectedSources();
      this.sources.keepOnly(peers);
      if (this.exploring && peers.every(peer => this.explored.has(peer) || !this.sources.isUsable(peer))) {
        this.exploring = false;
        continue;
      }
      const own = this.config.ownBlock?.(target.headHeight() + 1) ?? null;
      if (own !== null && (await this.applyOwn(own))) continue;
      const head = target.headHeight();
      const source = this.sources.next(peers, head, goal.askAll, tried);
      if (source !== null) {
        this.explored.add(source);
        const far = head + this.config.snapshotBehindBlocks + 1;
        if (this.goalHeight(peers) >= far && tried.size === 0) await this.fetchSnapshot(peers, far);
        // nobody may have a snapshot that is high enough, and this source be the only one
        if (target.headHeight() === head && (await this.fetchFrom(source)) === 'pruned') pruned += 1;
      } else if (pruned > 0) {
        await this.fetchSnapshot(peers, head + 1);
      }
      if (target.headHeight() > head) {
        tried = new Set();
        fruitless = 0;
        pruned = 0;
      } else if (source !== null) {
        tried.add(source);
      } else {
        fruitless += 1;
        if (!goal.insist && fruitless >= this.limits.claimRoundsMax) return;
        tried = new Set();
        pruned = 0;
        await this.rest();
      }
    }
  }

  /** @returns true when the head has moved */
  private async applyOwn(own: SyncBlock): Promise<boolean> {
    const { target } = this.config;
    const head = target.headHeight();
    const refused = await target.applyCertified(own);
    if (refused !== null) {
      this.config.logger.warn({ height: head + 1, code: refused.reject }, 'an own block does not verify');
    }
    return target.headHeight() > head;
  }

  /** Blocks are checked one by one, but looking for a snapshot takes a round of questions: no liar alone makes it begin. */
  private goalHeight(peers: readonly PeerId[]): number {
    const { validatorSet } = readSystem(this.config.store.state);
    return Math.max(
      this.wanted,
      this.sources.claimed(peers, faultsTolerated(validatorSet.validators.length)),
    );
  }

  private async fetchSnapshot(peers: readonly PeerId[], heightMin: number): Promise<void> {
    const usable = peers.filter(peer => this.sources.isUsable(peer));
    if (await this.snapshots.run(usable, heightMin)) this.config.target.synced();
  }

  private rest(): Promise<void> {
    return new Promise(resolve => {
      const end = () => {
        this.pause?.timer.cancel();
        this.pause = null;
        resolve();
      };
      this.pause = { timer: this.config.clock.setTimer(this.limits.retryMs, end), end };
    });
  }

  /** @returns `pruned` when the peer says that it does not have the next block any more */
  private async fetchFrom(source: PeerId): Promise<'pruned' | null> {
    const { target } = this.config;
    const fromHeight = target.headHeight() + 1;
    const { blocksPerRequest: blocksMax, answerBytesTarget: bytesMax } = this.limits;
    const answer = await this.ask(source, { kind: 'blocks', fromHeight, blocksMax, bytesMax });
    if (answer === null) return null;
    if (answer.kind !== 'blocks') {
      this.penalise(source, reject('wrong_answer', answer.kind));
      return null;
    }
    this.sources.claim(source, answer.headHeight);
    const fault = checkBlocksAnswer(answer, fromHeight) ?? (await this.apply(answer.blocks));
    if (target.headHeight() >= fromHeight) target.synced();
    if (fault !== null) this.penalise(source, fault);
    else if (answer.blocks.length > 0) this.sources.helped(source);
    const isPruned = answer.headHeight >= fromHeight && answer.bodiesFrom > fromHeight;
    return fault === null && isPruned ? 'pruned' : null;
  }

  penalise(source: PeerId, { reject: code, detail }: Reject): void {
    this.config.logger.warn({ peer: source, code, detail }, 'sync source left out');
    this.sources.penalise(source);
  }

  private async apply(blocks: readonly SyncBlock[]): Promise<Reject | null> {
    const { target } = this.config;
    for (const block of blocks) {
      if (this.abort.signal.aborted) return null;
      if (block.block.header.height <= target.headHeight()) continue;
      const refused = await target.applyCertified(block);
      if (refused !== null) return refused;
    }
    return null;
  }

  /** Null when the peer did not answer, or refused. */
  async ask(source: PeerId, request: SyncRequest): Promise<SyncAnswer | null> {
    const { requestTimeoutMs } = this.limits;
    const frame = syncRequestCodec.encode(request);
    const { transport, logger } = this.config;
    try {
      const options = { timeoutMs: requestTimeoutMs, signal: this.abort.signal };
      const bytes = await transport.request(source, SYNC_PROTOCOL, frame, options);
      const answer = isReject(bytes) ? bytes : syncAnswerCodec.decode(bytes);
      if (!isReject(answer)) return answer;
      logger.debug({ peer: source, code: answer.reject }, 'sync refused');
      // a refusal is no lie: it may not know this node yet, or be mending what was asked for
      if (answer.reject === NOT_VALIDATOR) this.config.refused?.(source);
      if (answer !== bytes) this.sources.penalise(source);
      else if (answer.reject !== 'gone') this.sources.silent(source);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      logger.debug({ peer: source, code: error.code }, 'sync request failed');
      if (error.code === 'timeout') this.sources.silent(source);
    }
    return null;
  }

  private async answer(from: PeerId, frame: Uint8Array): Promise<Uint8Array | Reject> {
    const { store, target, serves } = this.config;
    if (!target.connectedValidators().includes(from) && serves?.(from) !== true) {
      return reject(NOT_VALIDATOR, 'the sync protocol is for validators', 'ignore');
    }
    const request = syncRequestCodec.decode(frame);
    if (isReject(request)) return request;
    if (request.kind === 'offer') {
      return syncAnswerCodec.encode({ kind: 'offer', ...(await this.server.offer(request.knownHeight)) });
    }
    if (request.kind === 'chunk') {
      const chunk = await this.server.answer(request.request);
      return isReject(chunk) ? chunk : syncAnswerCodec.encode({ kind: 'chunk', chunk });
    }
    return syncAnswerCodec.encode({
      kind: 'blocks',
      headHeight: target.headHeight(),
      bodiesFrom: store.history.bodiesFrom,
      blocks: readBlocks(store, target.headHeight(), request, this.limits),
    });
  }
}
