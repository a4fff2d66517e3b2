import { assertDefined } from '../../core/base/assert.ts';
import type { LogId, PhaseId, TransactionId } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { headerHash } from '../../core/codec/chain.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import { genesisBlock } from '../../core/ledger/index.ts';
import { buildDossier } from '../../core/light/dossier.ts';
import { verifyDossier } from '../../core/light/dossier-verify.ts';
import { consistencyProof, inclusionProof, leafHash, treeRoot } from '../../core/merkle/log.ts';
import { encodeMapProof } from '../../core/merkle/map.ts';
import { openPayload } from '../../crypto/record-cipher.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import type { LeafProof, ProofApi } from '../../rpc/api.ts';
import { DossierCollector } from '../../services/dossier/collector.ts';
import { systemClock } from '../../system/clock.ts';
import type { RoleInput } from '../node-role.ts';
import type { MemberNode } from './member-node.ts';

const { sha256 } = nodeSuite;

export function phaseLog({ light }: MemberNode, phase: PhaseId): LogId {
  return logIdOf(sha256, light.chainId, 'phase', phase);
}

const unknownPhase = (phase: PhaseId) =>
  reject('unknown_phase', `there is no phase ${phase.slice(0, 12)} here`, 'ignore');

/** Hashes of the leaves [0, held.to); a node that may not read all of them has no proofs over the others. */
export function leafHashes(
  node: MemberNode,
  logId: LogId,
): ((position: number) => ReturnType<typeof leafHash>) | Reject {
  const held = node.light.held(logId);
  if (held === null) return reject('not_readable', 'nothing of this log is held', 'ignore');
  const last = assertDefined(held.ranges.at(-1), 'a held log has a range');
  if (last.from > 0) {
    return reject(
      'not_readable',
      `this node holds the log from position ${last.from} on, a proof needs all of it`,
      'ignore',
    );
  }
  return position => {
    const item = assertDefined(node.light.rawItem(logId, position), 'a held log has every leaf');
    return leafHash(sha256, item.leaf);
  };
}

async function positionOf(
  node: MemberNode,
  phase: PhaseId,
  key: TransactionId | number,
): Promise<number | Reject> {
  const found = await node.records.getRecord(phase, key);
  return isReject(found) ? found : found.position;
}

async function recordProof(
  node: MemberNode,
  collector: DossierCollector,
  phase: PhaseId,
  key: TransactionId | number,
): Promise<LeafProof | Reject> {
  const position = await positionOf(node, phase, key);
  if (typeof position !== 'number') return position;
  const logId = phaseLog(node, phase);
  const hashAt = leafHashes(node, logId);
  if (isReject(hashAt)) return hashAt;
  const proven = await collector.collect([{ scope: 'phase', id: phase }], [], []);
  if (isReject(proven)) return proven;
  const update = proven.logs.find(log => log.update.logId === logId)?.update;
  const [item] = await node.light.items(logId, position, position + 1);
  const raw = node.light.rawItem(logId, position);
  if (update === undefined || item === undefined || raw === null) return unknownPhase(phase);
  return {
    leaf: item.leaf,
    leafBytes: raw.leaf,
    path: inclusionProof(sha256, hashAt, position, update.entry.size),
    entry: update.entry,
    mapProof: encodeMapProof(update.mapProof),
    head: proven.head,
    hash: headerHash(sha256, proven.head.header),
  };
}

/** Verified before it is handed out, by the code that a third party will verify it with. */
async function dossier(
  node: MemberNode,
  collector: DossierCollector,
  anchor: ConstructorParameters<typeof DossierCollector>[3],
  phase: PhaseId,
  payloads: boolean,
): Promise<{ bytes: number; stream: AsyncIterable<Uint8Array> } | Reject> {
  const shown = await node.records.disclose(phase, payloads);
  if (isReject(shown)) return shown;
  const content = await collector.collect([{ scope: 'phase', id: phase }], shown.openings, shown.files);
  if (isReject(content)) return content;
  const bytes = buildDossier(sha256, content);
  const verdict = verifyDossier(nodeSuite, bytes, anchor, { openPayload });
  const failed = verdict.checks.find(check => !check.ok);
  if (failed !== undefined)
    return reject('verification_failed', `${failed.name}: ${failed.detail}`, 'ignore');
  async function* stream() {
    yield bytes;
  }
  return { bytes: bytes.length, stream: stream() };
}

export function createProofApi(node: MemberNode, { genesis }: RoleInput): ProofApi {
  const { block } = genesisBlock(nodeSuite, genesis);
  const anchor = { genesisHeader: block.header, genesisSet: { id: 0, validators: genesis.validators } };
  const collector = new DossierCollector(nodeSuite, node.light, systemClock, anchor);
  return {
    certifiedHead: async () => {
      const { header, hash, proof } = node.light.trust();
      if (proof === undefined) return reject('not_ready', 'there is no certified head yet', 'ignore');
      return { head: { header, certificate: proof.certificate }, hash };
    },
    recordProof: (phase, key) => recordProof(node, collector, phase, key),
    consistency: async (phase, first, second) => {
      const logId = phaseLog(node, phase);
      const held = node.light.held(logId);
      if (held === null) return unknownPhase(phase);
      if (first > second || second > held.to) {
        return reject('conflict', `sizes ${first} and ${second}: the log has ${held.to} leaves`, 'ignore');
      }
      const hashAt = leafHashes(node, logId);
      if (isReject(hashAt)) return hashAt;
      const rootAt = (size: number) =>
        treeRoot(
          sha256,
          Array.from({ length: size }, (_, position) => hashAt(position)),
        );
      return {
        firstRoot: rootAt(first),
        secondRoot: rootAt(second),
        path: consistencyProof(sha256, hashAt, first, second),
      };
    },
    dossier: (phase, { payloads }) => dossier(node, collector, anchor, phase, payloads),
  };
}
