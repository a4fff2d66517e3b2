import type { MemberId, PhaseId, TransactionId } from '../../core/base/ids.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { OfferedFile } from '../../wire/files.ts';
import type { FileEntry, FileLedger, FilePhase, PurgeAck, PurgeOrder } from './ledger.ts';
import type { FilesLimits } from './limits.ts';

/** Position of an offered file: no record stands there. */
const NO_POSITION = -1;
const NO_RECORD = '0'.repeat(64) as TransactionId;

export function isOffered(entry: FileEntry): boolean {
  return entry.position === NO_POSITION;
}

interface Offer {
  readonly entry: FileEntry;
  readonly untilMs: number;
}

/**
 * The verified ledger, with files that a participant offers before its record is committed: they are served and fetched as if
 * the record stood there, and forgotten when it does not come. Nothing is signed for them, and the placement knows none.
 */
export class OfferedLedger implements FileLedger {
  private readonly offers = new Map<string, Map<PhaseId, Offer>>();
  private readonly counts = new Map<MemberId, number>();

  constructor(
    private readonly ledger: FileLedger,
    private readonly clock: Clock,
    private readonly limits: FilesLimits,
  ) {}

  /** @returns the entry under which the file is fetched; null when the author has too many offers open */
  offer(phase: PhaseId, author: MemberId, file: OfferedFile): FileEntry | null {
    const count = this.counts.get(author) ?? 0;
    if (count >= this.limits.offersPerMember) this.prune();
    if ((this.counts.get(author) ?? 0) >= this.limits.offersPerMember) return null;
    const { cid, ciphertextBytes, keyCommitment } = file;
    const known = { cid, ciphertextBytes, keyCommitment, phase, author };
    const entry = { ...known, position: NO_POSITION, record: NO_RECORD, origin: NO_RECORD };
    const ofFile = this.offers.get(cid) ?? new Map<PhaseId, Offer>();
    this.offers.set(cid, ofFile);
    if (!ofFile.has(phase)) this.counts.set(author, (this.counts.get(author) ?? 0) + 1);
    ofFile.set(phase, { entry, untilMs: this.clock.nowMs() + this.limits.offerMs });
    return entry;
  }

  /** Forgets offers whose record is committed or did not come in time. */
  prune(): void {
    const nowMs = this.clock.nowMs();
    for (const [cid, ofFile] of this.offers) {
      for (const [phase, { entry, untilMs }] of ofFile) {
        if (untilMs > nowMs && this.ledger.entries(phase, cid).length === 0) continue;
        ofFile.delete(phase);
        this.counts.set(entry.author, this.counts.get(entry.author)! - 1);
      }
      if (ofFile.size === 0) this.offers.delete(cid);
    }
  }

  get member(): MemberId {
    return this.ledger.member;
  }

  memberOfPeer(peer: PeerId): MemberId | null {
    return this.ledger.memberOfPeer(peer);
  }

  peersOf(member: MemberId): readonly PeerId[] {
    return this.ledger.peersOf(member);
  }

  catchUp(): Promise<number> {
    return this.ledger.catchUp();
  }

  phases(): readonly PhaseId[] {
    return this.ledger.phases();
  }

  phase(id: PhaseId): FilePhase | null {
    return this.ledger.phase(id);
  }

  files(phase: PhaseId, fromPosition: number): readonly FileEntry[] {
    return this.ledger.files(phase, fromPosition);
  }

  entries(phase: PhaseId, cid: string): readonly FileEntry[] {
    const known = this.ledger.entries(phase, cid);
    const offer = known.length > 0 ? undefined : this.offers.get(cid)?.get(phase);
    if (offer === undefined || this.ledger.purgeOf(phase, cid) !== null) return known;
    return offer.untilMs > this.clock.nowMs() ? [offer.entry] : known;
  }

  phasesOf(cid: string): readonly PhaseId[] {
    const offered = [...(this.offers.get(cid)?.keys() ?? [])].filter(
      phase => this.entries(phase, cid).length > 0,
    );
    return [...new Set([...this.ledger.phasesOf(cid), ...offered])];
  }

  references(phase: PhaseId, cid: string): readonly FileEntry[] {
    const known = this.ledger.references(phase, cid);
    return known.length > 0 ? known : this.entries(phase, cid);
  }

  purgeOf(phase: PhaseId, cid: string): PurgeOrder | null {
    return this.ledger.purgeOf(phase, cid);
  }

  purges(phase: PhaseId): readonly PurgeOrder[] {
    return this.ledger.purges(phase);
  }

  purgeAcks(phase: PhaseId, cid: string): readonly PurgeAck[] {
    return this.ledger.purgeAcks(phase, cid);
  }

  receipts(phase: PhaseId, cid: string): readonly MemberId[] {
    return this.ledger.receipts(phase, cid);
  }

  onChange(listener: (phases: readonly PhaseId[]) => void): () => void {
    return this.ledger.onChange(listener);
  }

  submitReceipts(
    ...input: Parameters<FileLedger['submitReceipts']>
  ): ReturnType<FileLedger['submitReceipts']> {
    return this.ledger.submitReceipts(...input);
  }

  submitPurge(...input: Parameters<FileLedger['submitPurge']>): ReturnType<FileLedger['submitPurge']> {
    return this.ledger.submitPurge(...input);
  }

  submitPurgeAcks(
    ...input: Parameters<FileLedger['submitPurgeAcks']>
  ): ReturnType<FileLedger['submitPurgeAcks']> {
    return this.ledger.submitPurgeAcks(...input);
  }
}
