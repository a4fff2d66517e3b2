import type { PhaseId, Sha256 } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { sourceOrder } from '../../core/placement/placement.ts';
import type { Clock } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import { type Extent, type FilesBlock, filesAnswerCodec, filesRequestCodec } from '../../wire/files.ts';
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

/** Whom to ask for a file, and asking. A holder that sent wrong bytes is left alone for a while. */
export class Sources {
  private readonly penalisedUntilMs = new Map<PeerId, number>();

  constructor(private readonly config: SourcesConfig) {}

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

  async get(
    peer: PeerId,
    address: FileAddress,
    cids: readonly string[],
    signal: AbortSignal,
  ): Promise<SourceAnswer> {
    const frame = filesRequestCodec.encode({ ...address, kind: 'get', cids });
    let bytes: Awaited<ReturnType<Transport['request']>>;
    try {
      const timeoutMs = this.config.limits.requestTimeoutMs;
      bytes = await this.config.transport.request(peer, FILES_PROTOCOL, frame, { timeoutMs, signal });
    } catch (error) {
      if (error instanceof OperatingError) return { fault: error.code, liar: false };
      throw error;
    }
    if (isReject(bytes)) return { fault: bytes.reject, liar: false };
    const answer = filesAnswerCodec.decode(bytes);
    if (isReject(answer) || answer.kind !== 'blocks') return { fault: 'undecodable', liar: true };
    const asked = new Set(cids);
    const named = [...answer.blocks.map(block => block.cid), ...answer.absent];
    const honest = named.length > 0 && named.every(cid => asked.delete(cid));
    return honest ? answer : { fault: 'other_blocks', liar: true };
  }

  /** What a peer says that it has of a file at this moment; `refused` without a word of it, `silent` without an answer. */
  async extent(peer: PeerId, address: FileAddress): Promise<Extent | 'refused' | 'silent'> {
    const frame = filesRequestCodec.encode({ ...address, kind: 'have' });
    try {
      const timeoutMs = this.config.limits.surveyTimeoutMs;
      const bytes = await this.config.transport.request(peer, FILES_PROTOCOL, frame, { timeoutMs });
      const answer = isReject(bytes) ? bytes : filesAnswerCodec.decode(bytes);
      return isReject(answer) || answer.kind !== 'holding' ? 'refused' : answer.extent;
    } catch (error) {
      if (error instanceof OperatingError) return 'silent';
      throw error;
    }
  }

  /** After bytes that are not what they were sent as. */
  penalise(peer: PeerId, address: FileAddress, fault: string): void {
    const { clock, limits, logger } = this.config;
    if (this.penalisedUntilMs.size >= PENALTIES_MAX) this.penalisedUntilMs.clear();
    this.penalisedUntilMs.set(peer, clock.monotonicMs() + limits.penaltyMs);
    logger.warn({ peer, phase: address.phase, cid: address.root, fault }, 'a holder sent wrong bytes');
  }

  private isPenalised(peer: PeerId): boolean {
    const until = this.penalisedUntilMs.get(peer);
    if (until === undefined) return false;
    if (until > this.config.clock.monotonicMs()) return true;
    this.penalisedUntilMs.delete(peer);
    return false;
  }
}
