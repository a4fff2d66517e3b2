import type { Hash, LogId, MemberId, PhaseId, TransactionId } from '../../../src/core/base/ids.ts';
import { DEFAULT_POLICY } from '../../../src/core/types/flow.ts';
import type { FileEntry, FilePhase, PurgeAck, PurgeOrder } from '../../../src/services/files/ledger.ts';
import { hashOf } from '../consortium.ts';

/** What the chain says of files, in its order: the simulated ledger under the real file services. */
export type BookEvent = { readonly phase: PhaseId } & (
  | { readonly type: 'phase'; readonly members: readonly MemberId[]; readonly copiesTarget: number }
  | { readonly type: 'join' | 'leave'; readonly member: MemberId }
  /** `isOwn` false: whoever wrote it names a file of others, and has no right to give. */
  | { readonly type: 'record'; readonly entry: FileEntry; readonly isOwn: boolean }
  | { readonly type: 'receipt'; readonly member: MemberId; readonly cid: string }
  | { readonly type: 'purge'; readonly cid: string; readonly order: PurgeOrder }
  | ({ readonly type: 'ack'; readonly cid: string } & Omit<PurgeAck, 'height'>)
);

interface PhaseView {
  readonly target: number;
  version: number;
  members: readonly MemberId[];
  readonly files: FileEntry[];
  readonly receipts: Map<string, Set<MemberId>>;
  readonly purges: Map<string, { readonly order: PurgeOrder; readonly acks: PurgeAck[] }>;
}

/** What one member knows of the book: a phase that it is not in stands still where it left, and is read on when it comes back. */
export class View {
  readonly phases = new Map<PhaseId, PhaseView>();
  private readonly unread = new Map<PhaseId, BookEvent[]>();
  seen = 0;

  /** @param member null for one that reads everything */
  constructor(private readonly member: MemberId | null) {}

  /** @returns the phases of which something is known now that was not */
  read(events: readonly BookEvent[], until: number): ReadonlySet<PhaseId> {
    const changed = new Set<PhaseId>();
    for (; this.seen < until; this.seen += 1) {
      const event = events[this.seen] as BookEvent;
      const waiting = [...(this.unread.get(event.phase) ?? []), event];
      if (this.mayRead(event)) {
        this.unread.delete(event.phase);
        for (const one of waiting) this.apply(one);
        changed.add(event.phase);
      } else this.unread.set(event.phase, waiting);
    }
    return changed;
  }

  private mayRead(event: BookEvent): boolean {
    const { member } = this;
    if (member === null || (event.type === 'join' && event.member === member)) return true;
    if (event.type === 'phase') return event.members.includes(member);
    return this.phases.get(event.phase)?.members.includes(member) === true;
  }

  private apply(event: BookEvent): void {
    if (event.type === 'phase') {
      const empty = { files: [], receipts: new Map(), purges: new Map() };
      const { members, copiesTarget } = event;
      this.phases.set(event.phase, { target: copiesTarget, version: 1, members, ...empty });
      return;
    }
    const phase = this.phases.get(event.phase);
    if (phase === undefined) throw new Error('a phase begins with its event');
    if (event.type === 'record') phase.files.push(event.entry);
    else if (event.type === 'receipt') {
      const holders = phase.receipts.get(event.cid) ?? new Set();
      phase.receipts.set(event.cid, holders.add(event.member));
    } else if (event.type === 'purge') {
      if (!phase.purges.has(event.cid)) phase.purges.set(event.cid, { order: event.order, acks: [] });
    } else if (event.type === 'ack') {
      const { member, node, kept } = event;
      phase.purges.get(event.cid)?.acks.push({ member, node, height: 1, kept });
    } else {
      const others = phase.members.filter(member => member !== event.member);
      phase.members = event.type === 'join' ? [...others, event.member] : others;
      phase.version += 1;
    }
  }

  phase(id: PhaseId): FilePhase | null {
    const known = this.phases.get(id);
    if (known === undefined) return null;
    const { members, target, version } = known;
    const policy = { ...DEFAULT_POLICY, copiesTarget: target, copiesMinimum: 2 };
    return { id, policy, membershipVersion: version, participants: members, readers: members };
  }

  references(phase: PhaseId, cid: string): readonly FileEntry[] {
    return this.phases.get(phase)?.files.filter(entry => entry.cid === cid) ?? [];
  }

  isPurged(phase: PhaseId, cid: string): boolean {
    return this.phases.get(phase)?.purges.has(cid) === true;
  }

  entries(phase: PhaseId, cid: string): readonly FileEntry[] {
    return this.isPurged(phase, cid) ? [] : this.references(phase, cid);
  }
}

/** The chain: what is in it, for everybody in one order. */
export class Book {
  readonly events: BookEvent[] = [];
  readonly all = new View(null);
  onAppend: () => void = () => {};

  append(event: BookEvent): void {
    this.events.push(event);
    this.all.read(this.events, this.events.length);
    this.onAppend();
  }

  get size(): number {
    return this.events.length;
  }

  nextId(): Hash {
    return hashOf(`event ${this.events.length}`);
  }

  record(
    phase: PhaseId,
    author: MemberId,
    file: Pick<FileEntry, 'cid' | 'ciphertextBytes' | 'keyCommitment'>,
    { isOwn, from }: { readonly isOwn: boolean; readonly from: FileEntry | null },
  ): void {
    const record = this.nextId() as TransactionId;
    const { cid, ciphertextBytes, keyCommitment } = file;
    const place = { phase, position: this.events.length, record, origin: from?.origin ?? record, author };
    const entry = { ...place, cid, ciphertextBytes, keyCommitment };
    this.append({ type: 'record', phase, entry, isOwn });
  }

  orderPurge(phase: PhaseId, cid: string, by: MemberId): void {
    const references = this.all.references(phase, cid).map(({ record }) => record);
    const named = [...this.all.phases.keys()].filter(other => other !== phase);
    const elsewhere = named.flatMap(other =>
      this.all.entries(other, cid).map(({ record }) => ({ logId: hashOf(other) as LogId, record })),
    );
    const place = { position: this.size, height: 1, timeMs: 1, order: this.nextId() as TransactionId };
    const order = { phase, cid, ...place, by, reason: 'simulated', references, elsewhere };
    this.append({ type: 'purge', phase, cid, order });
  }
}
