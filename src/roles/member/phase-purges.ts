import type { LogId, PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import {
  decodeFilePurge,
  decodeFilePurgeAck,
  encodeFilePurge,
  encodeFilePurgeAck,
} from '../../core/codec/operation.ts';
import { encodeLeaf } from '../../core/codec/transaction.ts';
import { LIMITS } from '../../core/types/limits.ts';
import { KINDS } from '../../core/types/operation.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { FileEntry, PurgeAck, PurgeOrder } from '../../services/files/ledger.ts';
import type { LedgerAccess, LogItem } from '../../services/records/ports.ts';
import type { Draft } from '../../services/records/sender.ts';

interface Purged {
  readonly order: PurgeOrder;
  readonly acks: PurgeAck[];
}

/** The orders to purge that each phase's log has, and which nodes acknowledged them. */
export class PhasePurges {
  private readonly phases = new Map<PhaseId, Map<string, Purged>>();

  orderOf(phase: PhaseId, cid: string): PurgeOrder | null {
    return this.phases.get(phase)?.get(cid)?.order ?? null;
  }

  orders(phase: PhaseId): readonly PurgeOrder[] {
    const orders = [...(this.phases.get(phase)?.values() ?? [])].map(({ order }) => order);
    return orders.sort((a, b) => a.position - b.position);
  }

  acks(phase: PhaseId, cid: string): readonly PurgeAck[] {
    return this.phases.get(phase)?.get(cid)?.acks ?? [];
  }

  /** A second order for a file changes nothing: the first stands. */
  visitOrder(phase: PhaseId, { leaf, transaction }: LogItem): void {
    const part = transaction.signed.parts[0] ?? null;
    const content = part === null ? null : decodeFilePurge(part.content);
    if (content === null || isReject(content)) return;
    const ofPhase = this.phases.get(phase) ?? new Map<string, Purged>();
    this.phases.set(phase, ofPhase);
    if (ofPhase.has(content.cid)) return;
    const { cid, reason, elsewhere } = content;
    const references = content.references.map(({ record }) => record);
    const { position, height, timeMs } = leaf;
    const place = { position, height, timeMs, order: transaction.id, by: transaction.body.sender };
    ofPhase.set(cid, { order: { phase, cid, ...place, reason, references, elsewhere }, acks: [] });
  }

  visitAck(phase: PhaseId, { leaf, transaction }: LogItem): void {
    const part = transaction.signed.parts[0] ?? null;
    const content = part === null ? null : decodeFilePurgeAck(part.content);
    if (content === null || isReject(content)) return;
    const member = transaction.body.sender;
    const { node } = content;
    for (const { cid, position, kept } of content.acks) {
      const purged = this.phases.get(phase)?.get(cid);
      if (purged === undefined || purged.order.position !== position) continue;
      const earlier = purged.acks.findIndex(ack => ack.member === member && ack.node === node);
      // what was kept for another phase may be deleted later; what was deleted is not kept again
      if (earlier >= 0 && !purged.acks[earlier]!.kept) continue;
      if (earlier >= 0) purged.acks.splice(earlier, 1);
      purged.acks.push({ member, node, height: leaf.height, kept });
    }
  }
}

export function isPurgeKind(kind: number): boolean {
  return kind === KINDS.filePurge || kind === KINDS.filePurgeAck;
}

/** The position, id and encoded leaf of each place that is held. */
async function referencesTo(access: LedgerAccess, logId: LogId, positions: Iterable<number>) {
  const references = [];
  for (const position of new Set(positions)) {
    const [item] = await access.items(logId, position, position + 1);
    if (item === undefined) continue;
    references.push({ position, record: item.leaf.transactionId, leaf: encodeLeaf(item.leaf) });
  }
  return references;
}

export async function purgeDraft(
  access: LedgerAccess,
  logId: LogId,
  order: { readonly phase: PhaseId; readonly cid: string; readonly reason: string },
  entries: readonly FileEntry[],
  elsewhere: readonly { readonly logId: LogId; readonly record: FileEntry['record'] }[],
): Promise<Draft> {
  const positions = entries.slice(0, LIMITS.referencesPerPurge).map(entry => entry.position);
  const references = await referencesTo(access, logId, positions);
  const others = elsewhere.slice(0, LIMITS.referencesPerPurge);
  return {
    kind: 'filePurge',
    scopes: [logId],
    parts: [{ scope: 0, content: encodeFilePurge({ ...order, references, elsewhere: others }) }],
    what: `purge file ${order.cid} from phase ${order.phase.slice(0, 12)}`,
  };
}

export async function purgeAckDraft(
  access: LedgerAccess,
  logId: LogId,
  phase: PhaseId,
  node: PeerId,
  acks: readonly { readonly order: PurgeOrder; readonly kept: boolean }[],
): Promise<Draft> {
  const known = await referencesTo(
    access,
    logId,
    acks.map(({ order }) => order.position),
  );
  const entries = acks.flatMap(({ order, kept }) => {
    const reference = known.find(({ position }) => position === order.position);
    return reference === undefined ? [] : [{ ...reference, cid: order.cid, kept }];
  });
  return {
    kind: 'filePurgeAck',
    scopes: [logId],
    parts: [{ scope: 0, content: encodeFilePurgeAck({ phase, node, acks: entries }) }],
    what: `acknowledge the purge of ${entries.length} files of phase ${phase.slice(0, 12)}`,
  };
}
