import type { LogId, MemberId, PhaseId, Sha256 } from '../../core/base/ids.ts';
import { isReject, type Reject } from '../../core/base/reject.ts';
import {
  decodeFileReceipt,
  decodeHandoverItems,
  decodeRecordMeta,
  encodeFileReceipt,
} from '../../core/codec/operation.ts';
import { encodeLeaf, logIdOf } from '../../core/codec/transaction.ts';
import { findMember, keyholders, memberOfPeer } from '../../core/ledger/index.ts';
import { type FileReference, KINDS } from '../../core/types/operation.ts';
import type { PhaseState } from '../../core/types/state.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { FileEntry, FileLedger, FilePhase, FileReceiptEntry } from '../../services/files/ledger.ts';
import { PhaseFollower, type PhaseVisitor } from '../../services/records/follower.ts';
import type { LedgerAccess, LogItem } from '../../services/records/ports.ts';
import type { Records } from '../../services/records/service.ts';

interface PhaseIndex {
  readonly entries: FileEntry[];
  /** Receipts by root: member and the height of its first one. */
  readonly receipts: Map<string, Map<MemberId, number>>;
}

/** The scope index of a part in each kind that names files: a record's metadata, and what a handover brings. */
function fileReferences(phaseLog: LogId, { transaction }: LogItem): readonly FileReference[] {
  const { kind, scopes } = transaction.body;
  if (kind === KINDS.recordPut) {
    const part = transaction.signed.parts[0] ?? null;
    const meta = part === null ? null : decodeRecordMeta(part.content);
    return meta === null || isReject(meta) ? [] : meta.files;
  }
  if (kind !== KINDS.phaseHandover || scopes[1] !== phaseLog) return [];
  const part = transaction.signed.parts[2] ?? null;
  const items = part === null ? null : decodeHandoverItems(part.content);
  if (items === null || isReject(items)) return [];
  return items.flatMap(item => {
    const meta = decodeRecordMeta(item.meta.content);
    return isReject(meta) ? [] : meta.files;
  });
}

/** Which files the member's phases name and who signed for them: what the file service asks of the verified ledger. */
export class PhaseFiles implements FileLedger, PhaseVisitor {
  private readonly phaseIndexes = new Map<PhaseId, PhaseIndex>();
  private readonly phasesByRoot = new Map<string, Set<PhaseId>>();
  private readonly listeners = new Set<(phases: readonly PhaseId[]) => void>();
  private readonly follower: PhaseFollower;

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
    for (const { id } of this.access.phases()) await this.follower.catchUp(id);
  }

  /** After the verified head moved: every phase, because a member's revocation changes all that it is in. */
  async advance(): Promise<void> {
    const phases = this.access.phases().map(({ id }) => id);
    for (const id of phases) await this.follower.catchUp(id);
    for (const listener of this.listeners) listener(phases);
  }

  async visit(phase: PhaseState, item: LogItem): Promise<void> {
    const index = this.indexOf(phase.id);
    const { leaf, transaction } = item;
    if (transaction.body.kind === KINDS.fileReceipt) return this.visitReceipt(index, item);
    const phaseLog = this.logOf(phase.id);
    // A walk from the start again, when older history became readable, meets leaves that are known.
    if (index.entries.some(entry => entry.position === leaf.position)) return;
    for (const { cid, ciphertextBytes, keyCommitment } of fileReferences(phaseLog, item)) {
      const { position, transactionId: record } = leaf;
      const author = transaction.body.sender;
      index.entries.push({ phase: phase.id, position, record, author, cid, ciphertextBytes, keyCommitment });
      const phases = this.phasesByRoot.get(cid) ?? new Set();
      this.phasesByRoot.set(cid, phases.add(phase.id));
    }
  }

  memberOfPeer(peer: PeerId): MemberId | null {
    return memberOfPeer(this.access.system(), peer)?.id ?? null;
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
    const active = (member: MemberId) => findMember(system, member)?.revoked === false;
    const participants = state.participants.map(entry => entry.member).filter(active);
    const { policy, membershipVersion } = state;
    return {
      ...{ id, policy, membershipVersion, participants },
      readers: [...keyholders(system, state)],
    };
  }

  files(phase: PhaseId, fromPosition: number): readonly FileEntry[] {
    return this.indexOf(phase).entries.filter(entry => entry.position >= fromPosition);
  }

  entries(phase: PhaseId, cid: string): readonly FileEntry[] {
    return this.indexOf(phase).entries.filter(entry => entry.cid === cid);
  }

  phasesOf(cid: string): readonly PhaseId[] {
    return [...(this.phasesByRoot.get(cid) ?? [])];
  }

  receipts(phase: PhaseId, cid: string): readonly MemberId[] {
    return [...this.holders(phase, cid).keys()];
  }

  /** Members that signed for the whole file, with the height of their receipt. */
  holders(phase: PhaseId, cid: string): ReadonlyMap<MemberId, number> {
    return this.indexOf(phase).receipts.get(cid) ?? new Map();
  }

  onChange(listener: (phases: readonly PhaseId[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async submitReceipts(phase: PhaseId, receipts: readonly FileReceiptEntry[]): Promise<Reject | null> {
    const logId = this.logOf(phase);
    const entries = [];
    for (const { position, record, cid } of receipts) {
      const [item] = await this.access.items(logId, position, position + 1);
      if (item !== undefined) entries.push({ position, leaf: encodeLeaf(item.leaf), record, cid });
    }
    const sent = await this.records.send({
      kind: 'fileReceipt',
      scopes: [logId],
      parts: [{ scope: 0, content: encodeFileReceipt({ phase, receipts: entries }) }],
      what: `sign for ${entries.length} files of phase ${phase.slice(0, 12)}`,
    });
    return isReject(sent) ? sent : null;
  }

  private async visitReceipt(index: PhaseIndex, { leaf, transaction }: LogItem): Promise<void> {
    const part = transaction.signed.parts[0] ?? null;
    const content = part === null ? null : decodeFileReceipt(part.content);
    if (content === null || isReject(content)) {
      this.logger.warn({ transaction: transaction.id }, 'a committed receipt without readable content');
      return;
    }
    const named = new Set(content.receipts.map(entry => entry.cid));
    for (const cid of named) {
      const holders = index.receipts.get(cid) ?? new Map<MemberId, number>();
      if (!holders.has(transaction.body.sender)) holders.set(transaction.body.sender, leaf.height);
      index.receipts.set(cid, holders);
    }
  }

  private indexOf(phase: PhaseId): PhaseIndex {
    let index = this.phaseIndexes.get(phase);
    if (index === undefined) {
      index = { entries: [], receipts: new Map() };
      this.phaseIndexes.set(phase, index);
    }
    return index;
  }

  private logOf(phase: PhaseId): LogId {
    return logIdOf(this.sha256, this.access.chainId, 'phase', phase);
  }
}
