import { assertDefined } from '../../core/base/assert.ts';
import type { LogId, PhaseId } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import { genesisBlock } from '../../core/ledger/index.ts';
import type { Dossier } from '../../core/light/dossier.ts';
import { buildDossier, decodeDossier } from '../../core/light/dossier-codec.ts';
import { verifyDossier } from '../../core/light/dossier-verify.ts';
import { leafHash } from '../../core/merkle/log.ts';
import { hpke } from '../../crypto/hpke.ts';
import { phaseCrypto } from '../../crypto/phase-crypto.ts';
import { openPayload } from '../../crypto/record-cipher.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import type { ProofAnswer, ProofApi } from '../../rpc/proof-api.ts';
import { type CollectorAnchor, DossierCollector } from '../../services/dossier/collector.ts';
import { Prover } from '../../services/dossier/prover.ts';
import { systemClock } from '../../system/clock.ts';
import type { RoleInput } from '../node-role.ts';
import type { MemberNode } from './member-node.ts';

const { sha256 } = nodeSuite;

export function phaseLog({ light }: MemberNode, phase: PhaseId): LogId {
  return logIdOf(sha256, light.chainId, 'phase', phase);
}

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

export function collectorOf(node: MemberNode, anchor: CollectorAnchor): DossierCollector {
  return new DossierCollector(nodeSuite, node.light, systemClock, anchor);
}

export function anchorOf({ genesis }: RoleInput): CollectorAnchor {
  const { block } = genesisBlock(nodeSuite, genesis);
  return { genesisHeader: block.header, genesisSet: { id: 0, validators: genesis.validators } };
}

/** Verified before it is handed out, by the code that a third party will verify it with. */
function checked(made: Dossier | Reject, anchor: CollectorAnchor): ProofAnswer | Reject {
  if (isReject(made)) return made;
  const bytes = buildDossier(sha256, made);
  const verdict = verifyDossier(nodeSuite, bytes, anchor, { openPayload });
  const failed = verdict.checks.find(check => !check.ok);
  if (failed === undefined) return { bytes, verdict };
  return reject('verification_failed', `${failed.name}: ${failed.detail}`, 'ignore');
}

async function* once(bytes: Uint8Array) {
  yield bytes;
}

export function createProofApi(node: MemberNode, input: RoleInput): ProofApi {
  const { light, records } = node;
  const anchor = anchorOf(input);
  const collector = collectorOf(node, anchor);
  const prover = new Prover({ suite: nodeSuite, light, records, crypto: phaseCrypto, hpke, collector });
  return {
    certifiedHead: async () => {
      const notFresh = await light.checkFresh();
      const { header, hash, proof, set } = light.trust();
      if (proof === undefined) return reject('not_ready', 'there is no certified head yet', 'ignore');
      return { head: { header, certificate: proof.certificate }, hash, set, notFresh };
    },
    readProof: bytes => decodeDossier(sha256, bytes),
    prove: async question => checked(await prover.answer(question), anchor),
    firstPosition: async (phase, unit, value) => prover.firstPosition(phase, unit, value),
    dossier: async (phase, show) => {
      const dossier = checked(await prover.phase(phase, show), anchor);
      if (isReject(dossier)) return dossier;
      return { bytes: dossier.bytes.length, stream: once(dossier.bytes) };
    },
  };
}
