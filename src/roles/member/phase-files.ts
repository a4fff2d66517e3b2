import { isAble, mayAct } from '../../core/access/standing.ts';
import type { LogId, MemberId, PhaseId, Sha256, TransactionId } from '../../core/base/ids.ts';
import { isReject, type Reject } from '../../core/base/reject.ts';
import { decodeFileReceipt, decodeRecordMeta, encodeFileReceipt } from '../../core/codec/operation.ts';
import { bodyId, encodeLeaf, logIdOf } from '../../core/codec/transaction.ts';
import { findMember, keyholders, memberOfPeer } from '../../core/ledger/index.ts';
import { readHandover } from '../../core/light/record.ts';
import { type FileReference, KINDS } from '../../core/types/operation.ts';
import type { PhaseState, SystemState } from '../../core/types/state.ts';
import type { Part } from '../../core/types/transaction.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId } from '../../ports/transport.ts';
import type {
  FileEntry,
  FileLedger,
  FilePhase,
  FileReceiptEntry,
  PurgeAck,
  PurgeOrder,
} from '../../services/files/ledger.ts';
import { PhaseFollower, type PhaseVisitor } from '../../services/records/follower.ts';
import type { LedgerAccess, LogItem } from '../../services/records/ports.ts';
import type { Draft } from '../../services/records/sender.ts';
import type { Records } from '../../services/records/service.ts';
import { isPurgeKind, PhasePurges, purgeAckDraft, purgeDraft } from './phase-purges.ts';

interface PhaseIndex {
  /** Every file that a record of the phase names, by position; `sorted` false while older history was added at the end. */
  readonly entries: FileEntry[];
  sorted: boolean;
  readonly entriesByRoot: Map<string, FileEntry[]>;
  readonly positions: Set<number>;
  /** Receipts by root: member and the height of its first one. */
  readonly receipts: Map<string, Map<MemberId, number>>;
}

/** The files of one record, whichever leaf shows it. */
interface NamedFiles {
  readonly origin: TransactionId;
  readonly files: readonly FileReference[];
}

function filesOf(origin: TransactionId, meta: Part | null): NamedFiles[] {
  const decoded = meta === null ? null : decodeRecordMeta(meta.content);
  return decoded === null || isReject(decoded) ? [] : [{ origin, files: decoded.files }];
}

/** In each kind that names files: a record's metadata, and what a handover brings. */
function namedFiles(sha256: Sha256, phaseLog: LogId, item: LogItem): readonly NamedFiles[] {
  const { id, body, signed } = item.transaction;
  if (body.kind === KINDS.recordPut) return filesOf(id, signed.parts[0] ?? null);
  if (body.kind !== KINDS.phaseHandover || body.scopes[1] !== phaseLog) return [];
  const handover = readHandover(item);
  if (isReject(handover)) return [];
  return handover.items.flatMap(entry => filesOf(bodyId(sha256, entry.body), entry.meta));
}

/** Which files the member's phases name and who signed for them: what the file service asks of the verified ledger. */
export class PhaseFiles implements FileLedger, PhaseVisitor {
  private readonly phaseIndexes = new Map<PhaseId, PhaseIndex>();
  /** What was made of the states last; they are asked for with every file. */
  private readonly phasesById = new Map<
    PhaseId,
    { state: PhaseState; system: SystemState; phase: FilePhase }
  >();
  private readonly phasesByRoot = new Map<string, Set<PhaseId>>();
  /** Null for logs that are no phase's. */
  private readonly phasesByLog = new Map<LogId, PhaseId | null>();
  private readonly listeners = new Set<(phases: readonly PhaseId[]) => void>();
  private readonly follower: PhaseFollower;
  private readonly purged = new PhasePurges();

  constructor(
    private readonly access: LedgerAccess,
    private readonly records: Pick<Records, 'send'>,
    private readonly sha256: Sha256,
    readonly member: MemberId,
    private readonly logger: Logger,
  ) {
    this.follower = new PhaseFollower(access, sha256, member, [this]);
  }

  /** Reads what the node holds already; before the file service starts. */
  async load(): Promise<void> {
    await this.catchUp();
  }

  async catchUp(): Promise<number> {
    // the head first: what is committed while the logs are read may be missing in those that were read before
    const { timeMs } = this.access.head();
    for (const { id } of this.access.phases()) await this.follower.catchUp(id);
    return timeMs;
  }

  /**
   * After the verified head moved. What a phase's file rules follow from is in its own log, a member's revocation too.
   * @param changed logs with new items; those that are no phase's are passed over
   */
  async advance(changed: Iterable<LogId>): Promise<void> {
    const phases = [...changed].flatMap(logId => this.phaseOf(logId) ?? []);
    if (phases.length === 0) return;
    for (const id of phases) await this.follower.catchUp(id);
    for (const listener of this.listeners) listener(phases);
  }

  async visit(phase: PhaseState, item: LogItem): Promise<void> {
    const index = this.indexOf(phase.id);
    const { leaf, transaction } = item;
    const { kind } = transaction.body;
    if (kind === KINDS.fileReceipt) return this.visitReceipt(index, item);
    if (isPurgeKind(kind)) return this.visitPurge(phase.id, item);
    const { position, transactionId: record } = leaf;
    // A walk from the start again, when older history became readable, meets leaves that are known.
    if (index.positions.has(position)) return;
    index.positions.add(position);
    const author = transaction.body.sender;
    for (const { origin, files } of namedFiles(this.sha256, this.logOf(phase.id), item)) {
      for (const file of files)
        this.add(index, { ...file, phase: phase.id, position, record, origin, author });
    }
  }

  private add(index: PhaseIndex, entry: FileEntry): void {
    const { phase, cid, position } = entry;
    if (position < (index.entries.at(-1)?.position ?? 0)) index.sorted = false;
    index.entries.push(entry);
    const ofRoot = index.entriesByRoot.get(cid) ?? [];
    index.entriesByRoot.set(cid, ofRoot);
    ofRoot.push(entry);
    if (position < (ofRoot.at(-2)?.position ?? 0)) ofRoot.sort((a, b) => a.position - b.position);
    const phases = this.phasesByRoot.get(cid) ?? new Set();
    this.phasesByRoot.set(cid, phases.add(phase));
  }

  /** Null also of a member that is suspended: no file, and no link, is for its nodes. */
  memberOfPeer(peer: PeerId): MemberId | null {
    const member = memberOfPeer(this.access.system(), peer);
    return member !== null && mayAct(member) ? member.id : null;
  }

  peersOf(member: MemberId): readonly PeerId[] {
    return findMember(this.access.system(), member)?.peerIds ?? [];
  }

  phases(): readonly PhaseId[] {
    return this.access.phases().map(({ id }) => id);
  }

  phase(id: PhaseId): FilePhase | null {
    const state = this.access.phase(id);
    if (state === null) return null;
    const system = this.access.system();
    const known = this.phasesById.get(id);
    if (known?.state === state && known.system === system) return known.phase;
    const active = (member: MemberId) => isAble(system, member);
    const participants = state.participants.map(entry => entry.member).filter(active);
    const { policy, membershipVersion } = state;
    const readers = [...keyholders(system, state)].filter(active);
    const phase = { id, policy, membershipVersion, participants, readers };
    this.phasesById.set(id, { state, system, phase });
    return phase;
  }

  files(phase: PhaseId, fromPosition: number): readonly FileEntry[] {
    const index = this.indexOf(phase);
    const { entries } = index;
    if (!index.sorted) entries.sort((a, b) => a.position - b.position);
    index.sorted = true;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (entries[middle]!.position < fromPosition) low = middle + 1;
      else high = middle;
    }
    return entries.slice(low).filter(({ cid }) => this.purgeOf(phase, cid) === null);
  }

  entries(phase: PhaseId, cid: string): readonly FileEntry[] {
    return this.purgeOf(phase, cid) === null ? this.references(phase, cid) : [];
  }

  references(phase: PhaseId, cid: string): readonly FileEntry[] {
    return this.phaseIndexes.get(phase)?.entriesByRoot.get(cid) ?? [];
  }

  phasesOf(cid: string): readonly PhaseId[] {
    return [...(this.phasesByRoot.get(cid) ?? [])].filter(phase => this.purgeOf(phase, cid) === null);
  }

  purgeOf(phase: PhaseId, cid: string): PurgeOrder | null {
    return this.purged.orderOf(phase, cid);
  }

  purges(phase: PhaseId): readonly PurgeOrder[] {
    return this.purged.orders(phase);
  }

  purgeAcks(phase: PhaseId, cid: string): readonly PurgeAck[] {
    return this.purged.acks(phase, cid);
  }

  receipts(phase: PhaseId, cid: string): readonly MemberId[] {
    return [...this.holders(phase, cid).keys()];
  }

  /** Members that signed for the whole file, with the height of their receipt. */
  holders(phase: PhaseId, cid: string): ReadonlyMap<MemberId, number> {
    return this.phaseIndexes.get(phase)?.receipts.get(cid) ?? new Map();
  }

  onChange(listener: (phases: readonly PhaseId[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async submitReceipts(phase: PhaseId, receipts: readonly FileReceiptEntry[]): Promise<Reject | null> {
    const logId = this.logOf(phase);
    const entries = [];
    for (const position of new Set(receipts.map(entry => entry.position))) {
      const [item] = await this.access.items(logId, position, position + 1);
      if (item === undefined) continue;
      const cids = receipts.flatMap(entry => (entry.position === position ? [entry.cid] : []));
      entries.push({ position, record: item.leaf.transactionId, leaf: encodeLeaf(item.leaf), cids });
    }
    const sent = await this.records.send({
      kind: 'fileReceipt',
      scopes: [logId],
      parts: [{ scope: 0, content: encodeFileReceipt({ phase, receipts: entries }) }],
      what: `sign for ${receipts.length} files of phase ${phase.slice(0, 12)}`,
    });
    return isReject(sent) ? sent : null;
  }

  async submitPurge(
    phase: PhaseId,
    cid: string,
    reason: string,
    elsewhere: readonly FileEntry[],
  ): Promise<Reject | null> {
    const others = elsewhere.map(entry => ({ logId: this.logOf(entry.phase), record: entry.record }));
    const order = { phase, cid, reason };
    const entries = this.references(phase, cid);
    return this.submit(phase, purgeDraft(this.access, this.logOf(phase), order, entries, others));
  }

  async submitPurgeAcks(
    phase: PhaseId,
    node: PeerId,
    acks: readonly { readonly order: PurgeOrder; readonly kept: boolean }[],
  ): Promise<Reject | null> {
    return this.submit(phase, purgeAckDraft(this.access, this.logOf(phase), phase, node, acks));
  }

  /** The transaction's leaf is part of every answer when it resolves. */
  private async submit(phase: PhaseId, draft: Promise<Draft>): Promise<Reject | null> {
    const sent = await this.records.send(await draft);
    if (isReject(sent)) return sent;
    await this.advance([this.logOf(phase)]);
    return null;
  }

  private async visitPurge(phase: PhaseId, item: LogItem): Promise<void> {
    if (item.transaction.body.kind === KINDS.filePurge) this.purged.visitOrder(phase, item);
    else this.purged.visitAck(phase, item);
  }

  private async visitReceipt(index: PhaseIndex, { leaf, transaction }: LogItem): Promise<void> {
    const part = transaction.signed.parts[0] ?? null;
    const content = part === null ? null : decodeFileReceipt(part.content);
    if (content === null || isReject(content)) {
      this.logger.warn({ transaction: transaction.id }, 'a committed receipt without readable content');
      return;
    }
    const named = new Set(content.receipts.flatMap(entry => entry.cids));
    for (const cid of named) {
      const holders = index.receipts.get(cid) ?? new Map<MemberId, number>();
      if (!holders.has(transaction.body.sender)) holders.set(transaction.body.sender, leaf.height);
      index.receipts.set(cid, holders);
    }
  }

  private indexOf(phase: PhaseId): PhaseIndex {
    let index = this.phaseIndexes.get(phase);
    if (index === undefined) {
      index = {
        ...{ entries: [], sorted: true, entriesByRoot: new Map() },
        ...{ positions: new Set(), receipts: new Map() },
      };
      this.phaseIndexes.set(phase, index);
    }
    return index;
  }

  /** A log is a phase's or not for good; the phases are gone through once for each log that was not met before. */
  private phaseOf(logId: LogId): PhaseId | null {
    const known = this.phasesByLog.get(logId);
    if (known !== undefined) return known;
    this.phasesByLog.set(logId, null);
    for (const { id } of this.access.phases()) this.phasesByLog.set(this.logOf(id), id);
    return this.phasesByLog.get(logId) ?? null;
  }

  private logOf(phase: PhaseId): LogId {
    return logIdOf(this.sha256, this.access.chainId, 'phase', phase);
  }
}
