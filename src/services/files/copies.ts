import type { MemberId, PhaseId, Sha256 } from '../../core/base/ids.ts';
import { type Reject, reject } from '../../core/base/reject.ts';
import { placeFile } from '../../core/placement/placement.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import { FILES_WIRE_LIMITS, type OfferedFile, type RequestOf } from '../../wire/files.ts';
import type { CopiesState, WaitForCopies } from './api.ts';
import type { FileEntry, FilePhase } from './ledger.ts';
import type { FilesLimits } from './limits.ts';
import type { OfferedLedger } from './offers.ts';
import type { Replicator } from './replicator.ts';
import type { Sources } from './sources.ts';
import type { Usage } from './usage.ts';

export interface CopiesConfig {
  readonly ledger: OfferedLedger;
  readonly replicator: Replicator;
  readonly sources: Sources;
  readonly transport: Transport;
  readonly usage: Usage;
  readonly clock: Clock;
  readonly sha256: Sha256;
  readonly limits: FilesLimits;
}

const { filesPerRequest } = FILES_WIRE_LIMITS;

/** Files of one phase on their way to other nodes before a record names them. */
interface Spread {
  readonly phase: FilePhase;
  readonly files: readonly OfferedFile[];
  readonly wanted: number;
  readonly holders: readonly Set<MemberId>[];
  bytesConfirmed: number;
}

function stateOf({ holders, wanted, bytesConfirmed }: Spread): CopiesState {
  const copies = Math.min(...holders.map(({ size }) => size));
  return { holders: holders.map(members => [...members]), copies, wanted, bytesConfirmed };
}

/** Spreads files ahead of their record, and takes what others spread. */
export class Copies {
  constructor(private readonly config: CopiesConfig) {}

  /** Until each file has as many copies as are waited for, or the time is over. */
  async replicate(
    phaseId: PhaseId,
    files: readonly OfferedFile[],
    { copies, waitMs, signal, onProgress }: WaitForCopies,
  ): Promise<CopiesState | Reject> {
    const { clock, ledger } = this.config;
    const phase = ledger.phase(phaseId);
    if (phase === null) return reject('unknown_phase', `no phase ${phaseId.slice(0, 12)} here`, 'ignore');
    const most = phase.participants.length;
    if (copies !== null && copies > most) {
      const detail = `${copies} copies in a phase of ${most} ${most === 1 ? 'participant' : 'participants'}, who keep one each`;
      return reject('too_few_copies', detail, 'ignore');
    }
    const wanted = copies ?? Math.min(phase.policy.copiesMinimum, most);
    const holders = files.map(() => new Set([ledger.member]));
    const spread: Spread = { phase, files, wanted, holders, bytesConfirmed: 0 };
    if (files.length === 0) return { ...stateOf({ ...spread, holders: [new Set()] }), holders: [] };
    for (const file of files) ledger.offer(phaseId, ledger.member, file);
    const over = new AbortController();
    const timer = clock.setTimer(waitMs, () => over.abort());
    const ended = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
    try {
      const tell = () => {
        onProgress?.(stateOf(spread));
        if (holders.every(({ size }) => size >= wanted)) over.abort();
      };
      tell();
      await Promise.all(
        [...this.route(spread)].map(([peer, indexes]) => this.send(spread, peer, indexes, ended, tell)),
      );
    } finally {
      timer.cancel();
    }
    signal?.throwIfAborted();
    return stateOf(spread);
  }

  /** Takes what a participant offers, as far as there is room. */
  async take(from: PeerId, { phase: id, files }: RequestOf<'offer'>): Promise<readonly number[] | Reject> {
    const { ledger, replicator, usage } = this.config;
    const author = ledger.memberOfPeer(from);
    const phase = ledger.phase(id);
    const among = (member: MemberId | null) =>
      member !== null && phase?.participants.includes(member) === true;
    if (author === null || !among(author) || !among(ledger.member)) {
      return reject('not_permitted', 'no such phase for this member', 'ignore');
    }
    const taken: number[] = [];
    const entries: FileEntry[] = [];
    for (const [index, file] of files.entries()) {
      if (ledger.purgeOf(id, file.cid) !== null || usage.checkQuota(id, file.ciphertextBytes) !== null)
        continue;
      const entry = ledger.offer(id, author, file);
      if (entry === null) break;
      taken.push(index);
      entries.push(entry);
    }
    replicator.fetchMany(entries);
    return taken;
  }

  /** By peer, the files that it should take: those that the placement asks of it, and of others where too few are here. */
  private route({ phase, files, wanted }: Spread): ReadonlyMap<PeerId, number[]> {
    const { ledger, sha256, transport } = this.config;
    const connected = new Set(transport.peers().flatMap(info => (info.connected ? [info.peer] : [])));
    const peerOf = (member: MemberId) => ledger.peersOf(member).find(peer => connected.has(peer)) ?? null;
    const gone = phase.participants.filter(member => member !== ledger.member && peerOf(member) === null);
    const routes = new Map<PeerId, number[]>();
    for (const [index, { cid }] of files.entries()) {
      const { policy, participants } = phase;
      const atLeast = policy.copiesTarget === 0 ? 0 : Math.max(policy.copiesTarget, wanted);
      const input = { cid, author: ledger.member, participants, receipts: [], gone };
      const { desired } = placeFile(sha256, { ...input, policy: { ...policy, copiesTarget: atLeast } });
      for (const member of desired) {
        const peer = member === ledger.member ? null : peerOf(member);
        if (peer !== null) routes.set(peer, [...(routes.get(peer) ?? []), index]);
      }
    }
    return routes;
  }

  /** Offers one peer its files and asks until it has them all. */
  private async send(
    spread: Spread,
    peer: PeerId,
    indexes: readonly number[],
    ended: AbortSignal,
    tell: () => void,
  ): Promise<void> {
    const { sources } = this.config;
    const open: number[] = [];
    for (let start = 0; start < indexes.length && !ended.aborted; start += filesPerRequest) {
      const batch = indexes.slice(start, start + filesPerRequest);
      const files = batch.map(index => spread.files[index]!);
      const taken = await sources.offer(peer, spread.phase.id, files, ended);
      open.push(...taken.flatMap(index => batch[index] ?? []));
    }
    await this.await(spread, peer, open, ended, tell);
  }

  private async await(
    spread: Spread,
    peer: PeerId,
    open: readonly number[],
    ended: AbortSignal,
    tell: () => void,
  ): Promise<void> {
    const { ledger, limits, sources } = this.config;
    const member = ledger.memberOfPeer(peer)!;
    let waiting = [...open];
    // small files arrive together: one of them is asked for until it is there, and then the others
    let asked = 1;
    let pauseMs = limits.offerPollMs;
    while (waiting.length > 0 && !ended.aborted) {
      await this.pause(pauseMs, ended);
      const batch = waiting.slice(0, asked);
      const roots = batch.map(index => spread.files[index]!.cid);
      const extents = await sources.extents(peer, spread.phase.id, roots, ended);
      if (extents === 'refused') return;
      const arrived = new Set(batch.filter((_, at) => extents !== 'silent' && extents[at] === 'whole'));
      for (const index of arrived) {
        spread.holders[index]!.add(member);
        spread.bytesConfirmed += spread.files[index]!.ciphertextBytes;
      }
      const absent = batch.filter(index => !arrived.has(index));
      waiting = [...waiting.slice(batch.length), ...absent];
      asked = absent.length === 0 ? filesPerRequest : 1;
      if (asked > 1) pauseMs = 0;
      else pauseMs = arrived.size > 0 ? limits.offerPollMs : Math.min(2 * pauseMs + 1, limits.offerPollMsMax);
      if (arrived.size > 0) tell();
    }
  }

  private pause(delayMs: number, ended: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      if (ended.aborted || delayMs === 0) return resolve();
      const timer = this.config.clock.setTimer(delayMs, done);
      function done(): void {
        ended.removeEventListener('abort', done);
        timer.cancel();
        resolve();
      }
      ended.addEventListener('abort', done);
    });
  }
}
