import type { LogId, MemberId, PhaseId } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { decodeFilePurgeAck, decodeFileReceipt } from '../../core/codec/operation.ts';
import { mapKeyOf, mapValueOf } from '../../core/codec/state.ts';
import { NOTHING_SHOWN } from '../../core/light/dossier.ts';
import { buildDossier } from '../../core/light/dossier-codec.ts';
import { openLogs } from '../../core/light/prove.ts';
import {
  buildPurgeCertificate,
  type ProvenLeaf,
  verifyPurgeCertificate,
} from '../../core/light/purge-certificate.ts';
import { inclusionProof } from '../../core/merkle/log.ts';
import { KINDS } from '../../core/types/operation.ts';
import { OUTCOMES } from '../../core/types/outcome.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import { WHOLE_LOG } from '../../services/dossier/collector.ts';
import type { RoleInput } from '../node-role.ts';
import type { MemberNode } from './member-node.ts';
import { anchorOf, collectorOf, leafHashes, phaseLog } from './proof-api.ts';

const { sha256 } = nodeSuite;
/** Leaves that are read at a time. */
const ITEMS_PER_READ = 256;

/** Where the log has the receipts for a file before its purge, one a member, and the last acknowledgement of each node. */
async function statements(node: MemberNode, logId: LogId, cid: string, order: number, size: number) {
  const receipts = new Map<MemberId, number>();
  const acks = new Map<string, number>();
  for (let from = 0; from < size; from += ITEMS_PER_READ) {
    for (const { leaf, transaction } of await node.light.items(
      logId,
      from,
      Math.min(size, from + ITEMS_PER_READ),
    )) {
      const { kind, sender } = transaction.body;
      const part = transaction.signed.parts[0] ?? null;
      if (part === null || leaf.outcome !== OUTCOMES.committed) continue;
      if (kind === KINDS.fileReceipt && leaf.position < order && !receipts.has(sender)) {
        const content = decodeFileReceipt(part.content);
        const names = !isReject(content) && content.receipts.some(({ cids }) => cids.includes(cid));
        if (names) receipts.set(sender, leaf.position);
      }
      if (kind === KINDS.filePurgeAck && leaf.position > order) {
        const content = decodeFilePurgeAck(part.content);
        if (isReject(content)) continue;
        const names = content.acks.some(ack => ack.cid === cid && ack.position === order);
        if (names) acks.set(`${sender}/${content.node}`, leaf.position);
      }
    }
  }
  return { receipts: [...receipts.values()], acks: [...acks.values()] };
}

/**
 * Makes certificates of purge, each verified before it is handed out by the code that a third party will verify it with. Reject
 * `not_purged`, `not_readable` or `not_ready`.
 */
export function purgeCertifier(
  node: MemberNode,
  input: RoleInput,
): (phase: PhaseId, cid: string) => Promise<Uint8Array | Reject> {
  const anchor = anchorOf(input);
  const collector = collectorOf(node, anchor);
  return async (phase, cid) => {
    const purge = node.files.purgeStatus(phase, cid);
    if (purge === null) return reject('not_purged', `file ${cid} was not purged in this phase`, 'ignore');
    const logId = phaseLog(node, phase);
    const hashAt = leafHashes(node, logId);
    if (isReject(hashAt)) return hashAt;
    const whole = await collector.collect([{ scope: 'phase', id: phase, ...WHOLE_LOG }]);
    if (isReject(whole)) return whole;
    const { setChanges, head, members } = whole.content;
    const { entry, siblings } = whole.entries.get(logId)!;
    const system = [...whole.entries].filter(([id]) => id !== logId);
    const map = openLogs(sha256, new Map(system));
    const { size } = entry;
    const leaf = { key: mapKeyOf(sha256, logId), value: mapValueOf(sha256, entry) };
    const proven = (position: number): ProvenLeaf => {
      const { leaf, transaction } = node.light.rawItem(logId, position)!;
      return { position, leaf, transaction, path: inclusionProof(sha256, hashAt, position, size) };
    };
    const said = await statements(node, logId, cid, purge.position, size);
    const bytes = buildPurgeCertificate(sha256, {
      dossier: buildDossier(sha256, { setChanges, head, map, members, logs: [], ...NOTHING_SHOWN }),
      ...{ phase, cid, entry, mapProof: { siblings, leaf } },
      order: proven(purge.position),
      receipts: said.receipts.map(proven),
      acks: said.acks.map(proven),
    });
    const verdict = verifyPurgeCertificate(nodeSuite, bytes, anchor);
    const fault = verdict.checks.find(check => !check.ok);
    return fault === undefined
      ? bytes
      : reject('verification_failed', `${fault.name}: ${fault.detail}`, 'ignore');
  };
}
