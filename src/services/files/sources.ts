import type { PhaseId, Sha256 } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { sourceOrder } from '../../core/placement/placement.ts';
import type { Clock } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import {
  type Extent,
  type FilesAnswer,
  type FilesBlock,
  type FilesRequest,
  filesAnswerCodec,
  filesRequestCodec,
  type OfferedFile,
} from '../../wire/files.ts';
import type { FileLedger } from './ledger.ts';
import { FILES_PROTOCOL, type FilesLimits } from './limits.ts';

export interface SourcesConfig {
  readonly ledger: FileLedger;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sha256: Sha256;
  readonly limits: FilesLimits;
}

export interface FileAddress {
  readonly phase: PhaseId;
  readonly root: string;
}

/** What came of a request: blocks, or why the source is of no use for this file now. */
export type SourceAnswer =
  | { readonly blocks: readonly FilesBlock[]; readonly absent: readonly string[] }
  | { readonly fault: string; readonly liar: boolean };

/** Peers have no business keeping more than this many of our penalties. */
const PENALTIES_MAX = 4096;

/** A holder that sent something else than what it was asked for. */
export interface Misdeed extends FileAddress {
  readonly peer: PeerId;
  readonly fault: string;
  readonly timeMs: number;
}

const RECORDS_MAX = 64;

/** Whom to ask for a file, and asking. A holder that sent wrong bytes is left alone for a while. */
export class Sources {
  private readonly penalisedUntilMs = new Map<PeerId, number>();
  private readonly records: Misdeed[] = [];
  private readonly waiting = new Set<() => void>();

  constructor(private readonly config: SourcesConfig) {}

  /** A link stands that did not before. */
  peerConnected(): void {
    for (const look of [...this.waiting]) look();
  }

  /** Resolves when a peer that may have the file is connected, or none came in `firstSourceMs`. */
  async awaitFirst(address: FileAddress, signal: AbortSignal): Promise<void> {
    const { clock, limits } = this.config;
    await new Promise<void>(resolve => {
      const end = () => {
        timer.cancel();
        this.waiting.delete(look);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const look = () => {
        if (signal.aborted || this.candidates(address).length > 0) end();
      };
      const timer = clock.setTimer(limits.firstSourceMs, end);
      this.waiting.add(look);
      signal.addEventListener('abort', end);
      look();
    });
  }

  /** Connected peers that may have the file: signed holders first, then the other readers of the phase. */
  candidates(address: FileAddress): readonly PeerId[] {
    const { ledger, sha256, transport } = this.config;
    const readers = ledger.phase(address.phase)?.readers ?? [];
    const signed = new Set(ledger.receipts(address.phase, address.root));
    const authors = new Set(ledger.entries(address.phase, address.root).map(entry => entry.author));
    const ranked = sourceOrder(sha256, address.root, ledger.member, readers);
    const likely = ranked.filter(member => signed.has(member) || authors.has(member));
    const others = ranked.filter(member => !signed.has(member) && !authors.has(member));
    const connected = new Set(transport.peers().flatMap(info => (info.connected ? [info.peer] : [])));
    const peers = [ledger.member, ...likely, ...others].flatMap(member => ledger.peersOf(member));
    return peers.filter(peer => peer !== transport.peerId && connected.has(peer) && !this.isPenalised(peer));
  }

  /** Blocks of one file. */
  get(
    peer: PeerId,
    { phase, root }: FileAddress,
    cids: readonly string[],
    signal: AbortSignal,
  ): Promise<SourceAnswer> {
    return this.blocks(peer, { kind: 'get', phase, root, cids }, cids, signal);
  }

  /** Files that are one block each. */
  small(peer: PeerId, phase: PhaseId, roots: readonly string[], signal: AbortSignal): Promise<SourceAnswer> {
    return this.blocks(peer, { kind: 'small', phase, roots }, roots, signal);
  }

  /** What a peer says that it has of files at this moment; `refused` without a word of it, `silent` without an answer. */
  async extents(
    peer: PeerId,
    phase: PhaseId,
    roots: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly Extent[] | 'refused' | 'silent'> {
    const answer = await this.ask(peer, { kind: 'have', phase, roots }, signal);
    if (typeof answer === 'string') return answer;
    return answer.kind === 'holding' && answer.extents.length === roots.length ? answer.extents : 'refused';
  }

  /** The digest over blocks that the peer should have; null when it says that it lacks one. */
  async proof(
    peer: PeerId,
    { phase, root }: FileAddress,
    cids: readonly string[],
    nonce: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Uint8Array | null | 'refused' | 'silent'> {
    const answer = await this.ask(peer, { kind: 'prove', phase, root, cids, nonce }, signal);
    if (typeof answer === 'string') return answer;
    return answer.kind === 'proof' ? answer.digest : 'refused';
  }

  /** @returns the files that the peer fetches now, by index */
  async offer(
    peer: PeerId,
    phase: PhaseId,
    files: readonly OfferedFile[],
    signal?: AbortSignal,
  ): Promise<readonly number[]> {
    const answer = await this.ask(peer, { kind: 'offer', phase, files }, signal);
    return typeof answer === 'string' || answer.kind !== 'taken' ? [] : answer.indexes;
  }

  private async blocks(
    peer: PeerId,
    request: FilesRequest,
    asked: readonly string[],
    signal: AbortSignal,
  ): Promise<SourceAnswer> {
    let bytes: Awaited<ReturnType<Transport['request']>>;
    try {
      const timeoutMs = this.config.limits.requestTimeoutMs;
      const frame = filesRequestCodec.encode(request);
      bytes = await this.config.transport.request(peer, FILES_PROTOCOL, frame, { timeoutMs, signal });
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      // others first for a while: a holder that hangs must not hold up every file in turn
      if (error.code === 'timeout') this.leaveAlone(peer, this.config.limits.silencePenaltyMs);
      return { fault: error.code, liar: false };
    }
    if (isReject(bytes)) return { fault: bytes.reject, liar: false };
    const answer = filesAnswerCodec.decode(bytes);
    if (isReject(answer) || answer.kind !== 'blocks') return { fault: 'undecodable', liar: true };
    const open = new Set(asked);
    const named = [...answer.blocks.map(block => block.cid), ...answer.absent];
    const honest = named.length > 0 && named.every(cid => open.delete(cid));
    return honest ? answer : { fault: 'other_blocks', liar: true };
  }

  private async ask(
    peer: PeerId,
    request: FilesRequest,
    signal?: AbortSignal,
  ): Promise<FilesAnswer | 'refused' | 'silent'> {
    const frame = filesRequestCodec.encode(request);
    const timeoutMs = this.config.limits.surveyTimeoutMs;
    const options = signal === undefined ? { timeoutMs } : { timeoutMs, signal };
    try {
      const bytes = await this.config.transport.request(peer, FILES_PROTOCOL, frame, options);
      const answer = isReject(bytes) ? bytes : filesAnswerCodec.decode(bytes);
      return isReject(answer) ? 'refused' : answer;
    } catch (error) {
      if (error instanceof OperatingError) return 'silent';
      throw error;
    }
  }

  /** After bytes that are not what they were sent as. */
  penalise(peer: PeerId, address: FileAddress, fault: string): void {
    const { clock, limits, logger } = this.config;
    this.leaveAlone(peer, limits.penaltyMs);
    if (this.records.length >= RECORDS_MAX) this.records.shift();
    this.records.push({ peer, ...address, fault, timeMs: clock.nowMs() });
    logger.warn({ peer, phase: address.phase, cid: address.root, fault }, 'a holder sent wrong bytes');
  }

  /** Holders that sent wrong bytes, the last of them. */
  misdeeds(): readonly Misdeed[] {
    return this.records;
  }

  private leaveAlone(peer: PeerId, forMs: number): void {
    if (this.penalisedUntilMs.size >= PENALTIES_MAX) this.penalisedUntilMs.clear();
    const until = this.config.clock.monotonicMs() + forMs;
    this.penalisedUntilMs.set(peer, Math.max(until, this.penalisedUntilMs.get(peer) ?? 0));
  }

  private isPenalised(peer: PeerId): boolean {
    const until = this.penalisedUntilMs.get(peer);
    if (until === undefined) return false;
    if (until > this.config.clock.monotonicMs()) return true;
    this.penalisedUntilMs.delete(peer);
    return false;
  }
}
