import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import type { ChainStore } from '../../ports/chain-store.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import {
  SYNC_WIRE_LIMITS,
  type SyncAnswer,
  type SyncBlock,
  type SyncRequest,
  syncAnswerCodec,
  syncHeadCodec,
  syncRequestCodec,
} from '../../wire/sync.ts';
import {
  SYNC_FRAME_BYTES_MAX,
  SYNC_LIMITS,
  SYNC_OUTBOX_BYTES_MAX,
  SYNC_PROTOCOL,
  SYNC_REQUESTS_IN_FLIGHT_MAX,
  type SyncLimits,
} from './limits.ts';
import { Sources } from './sources.ts';

export interface SyncTarget {
  headHeight(): number;
  /**
   * Checks the block that follows the head (certificate, bodies, execution result) and commits it. Null when it is
   * committed, also when somebody else did meanwhile; a Reject blames the block, so its sender.
   */
  applyCertified(block: SyncBlock): Promise<Reject | null>;
  /** After the blocks of an answer: the head has moved. */
  synced(): void;
  /** Peers of the current set that are connected, this node left out. */
  connectedValidators(): readonly PeerId[];
}

export interface SyncConfig {
  readonly store: ChainStore;
  readonly target: SyncTarget;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: Partial<SyncLimits>;
}

/**
 * Brings this node to the head of the others by certified blocks, each verified and executed again, so that a source
 * needs no trust: one that lies is left out and the next is asked (SCENARIOS 50 to 53).
 */
export class Sync {
  private readonly limits: SyncLimits;
  private readonly sources: Sources;
  /** Height that the consensus engine knows to be committed; 0 when none is wanted. */
  private wanted = 0;
  private exploring = false;
  private running: Promise<void> | null = null;
  private readonly abort = new AbortController();
  private pause: { timer: Timer; end: () => void } | null = null;
  private readonly settled: (() => void)[] = [];

  constructor(private readonly config: SyncConfig) {
    this.limits = { ...SYNC_LIMITS, ...config.limits };
    this.sources = new Sources(config.clock, this.limits);
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

  /** @returns the height that is being worked towards, null when there is nothing to catch up with */
  get targetHeight(): number | null {
    if (this.running === null) return null;
    const claimed = this.sources.highestClaim(this.config.target.connectedValidators());
    return Math.max(this.wanted, claimed);
  }

  /** Catches up to a height that is known to be committed; works on until it is reached or the service stops. */
  catchUp(height: number): void {
    this.wanted = Math.max(this.wanted, height);
    this.wake();
  }

  /** Asks every connected validator once what it has: this node may be behind by an unknown number of blocks. */
  explore(): void {
    this.exploring = true;
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
    await this.running;
  }

  private heard(from: PeerId, frame: Uint8Array): Reject | null {
    const height = syncHeadCodec.decode(frame);
    if (isReject(height)) return height;
    const { target } = this.config;
    if (!target.connectedValidators().includes(from)) return null;
    this.sources.claim(from, height);
    if (height > target.headHeight()) this.wake();
    return null;
  }

  private wake(): void {
    this.pause?.end();
    if (this.running !== null || this.abort.signal.aborted || this.goal() === null) return;
    this.running = this.run().finally(() => {
      this.running = null;
      for (const resolve of this.settled.splice(0)) resolve();
    });
  }

  /** Null when there is nothing to fetch. A claim is enough to try, but not to insist. */
  private goal(): { readonly askAll: boolean; readonly insist: boolean } | null {
    const { target } = this.config;
    const head = target.headHeight();
    if (this.wanted > head) return { askAll: true, insist: true };
    if (this.exploring) return { askAll: true, insist: false };
    const claimed = this.sources.highestClaim(target.connectedValidators()) > head;
    return claimed ? { askAll: false, insist: false } : null;
  }

  private async run(): Promise<void> {
    let tried = new Set<PeerId>();
    let fruitless = 0;
    const { target } = this.config;
    for (let goal = this.goal(); goal !== null && !this.abort.signal.aborted; goal = this.goal()) {
      const peers = target.connectedValidators();
      this.sources.keepOnly(peers);
      const source = this.sources.next(peers, target.headHeight(), goal.askAll, tried);
      if (source !== null) {
        const head = target.headHeight();
        await this.fetchFrom(source);
        if (target.headHeight() === head) tried.add(source);
        else {
          tried = new Set();
          fruitless = 0;
        }
      } else if (this.exploring && !goal.insist) {
        this.exploring = false;
        tried = new Set();
      } else {
        fruitless += 1;
        if (!goal.insist && fruitless >= this.limits.claimRoundsMax) return;
        tried = new Set();
        await this.rest();
      }
    }
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

  private async fetchFrom(source: PeerId): Promise<void> {
    const { target, logger } = this.config;
    const fromHeight = target.headHeight() + 1;
    const answer = await this.ask(source, fromHeight);
    if (answer === null) return;
    this.sources.claim(source, answer.headHeight);
    const fault = checkAnswer(answer, fromHeight) ?? (await this.apply(answer.blocks));
    if (target.headHeight() >= fromHeight) target.synced();
    if (fault === null) {
      if (answer.blocks.length > 0) this.sources.helped(source);
      return;
    }
    logger.warn({ peer: source, code: fault.reject, detail: fault.detail }, 'sync source left out');
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

  private async ask(source: PeerId, fromHeight: number): Promise<SyncAnswer | null> {
    const { blocksPerRequest, answerBytesTarget, requestTimeoutMs } = this.limits;
    const frame = syncRequestCodec.encode({
      fromHeight,
      blocksMax: blocksPerRequest,
      bytesMax: answerBytesTarget,
    });
    const { transport, logger } = this.config;
    try {
      const options = { timeoutMs: requestTimeoutMs, signal: this.abort.signal };
      const bytes = await transport.request(source, SYNC_PROTOCOL, frame, options);
      const answer = isReject(bytes) ? bytes : syncAnswerCodec.decode(bytes);
      if (!isReject(answer)) return answer;
      logger.debug({ peer: source, code: answer.reject }, 'sync refused');
      this.sources.penalise(source);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      logger.debug({ peer: source, code: error.code }, 'sync request failed');
    }
    return null;
  }

  private async answer(from: PeerId, frame: Uint8Array): Promise<Uint8Array | Reject> {
    const { store, target } = this.config;
    if (!target.connectedValidators().includes(from)) {
      return reject('not_validator', 'the sync protocol is for validators', 'ignore');
    }
    const request = syncRequestCodec.decode(frame);
    if (isReject(request)) return request;
    return syncAnswerCodec.encode({
      headHeight: target.headHeight(),
      blocks: readBlocks(store, target.headHeight(), request, this.limits),
    });
  }
}

/** A peer that has the block must send it, and from the height that was asked (SCENARIOS 53). */
function checkAnswer(answer: SyncAnswer, fromHeight: number): Reject | null {
  if (answer.blocks.length === 0 && answer.headHeight >= fromHeight) {
    return reject('withheld', `head ${answer.headHeight}, but no block ${fromHeight}`);
  }
  for (const [index, { block }] of answer.blocks.entries()) {
    if (block.header.height !== fromHeight + index)
      return reject('wrong_height', `block ${fromHeight + index}`);
  }
  return null;
}

function readBlocks(
  store: ChainStore,
  headHeight: number,
  request: SyncRequest,
  limits: SyncLimits,
): SyncBlock[] {
  const blocksMax = Math.min(request.blocksMax, limits.blocksPerRequest, SYNC_WIRE_LIMITS.blocksPerAnswer);
  const bytesMax = Math.min(request.bytesMax, limits.answerBytesTarget);
  const blocks: SyncBlock[] = [];
  let bytes = 0;
  // Genesis has no certificate and is in every node's configuration.
  for (let height = Math.max(1, request.fromHeight); height <= headHeight; height += 1) {
    if (blocks.length >= blocksMax || bytes >= bytesMax) break;
    const block = readBlock(store, height);
    if (block === null) break;
    const size = block.transactions.reduce((sum, body) => sum + body.length, 0);
    if (blocks.length > 0 && bytes + size > bytesMax) break;
    blocks.push(block);
    bytes += size;
  }
  return blocks;
}

/** Null when the block or one of its bodies is no longer here. */
export function readBlock(store: ChainStore, height: number): SyncBlock | null {
  const stored = store.block(height);
  if (stored === null || stored.certificate === null) return null;
  const transactions: Uint8Array[] = [];
  for (const { wrapperHash } of stored.block.entries) {
    const bytes = store.wrapper(wrapperHash);
    if (bytes === null) return null;
    transactions.push(bytes);
  }
  return { block: stored.block, certificate: stored.certificate, transactions };
}
