import { equalBytes } from '../base/bytes.ts';
import type { Hash, MemberId, Suite } from '../base/ids.ts';
import { consensusBytes } from '../codec/chain.ts';
import { Reader } from '../codec/reader.ts';
import type { ValidatorSet } from '../types/chain.ts';
import type { EvidenceKind, EvidenceRecord } from '../types/governance.ts';
import { LIMITS } from '../types/limits.ts';
import type { EvidenceMessage, EvidenceProof } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Member, SystemState } from '../types/state.ts';
import { demand, firstRefusal, type Rule } from './rule.ts';

/** Stands where a transaction names its sender; no member has this id. It owns nothing and has no key. */
export const EVIDENCE_SENDER: Member = {
  id: 'evidence' as MemberId,
  name: '',
  version: 0,
  revoked: false,
  suspendedHeight: 0,
  peerIds: [],
  keys: [],
};

/** For what a validator signs one value only. */
interface Slot {
  readonly view: number;
  readonly height: number;
}

/** Null when the body is not one of this kind. Of view changes only the view matters: any other byte makes another message. */
function slotOf(kind: EvidenceKind, body: Uint8Array): Slot | null {
  const reader = new Reader(body);
  if (kind === 'viewChange' || kind === 'newView') {
    const view = reader.u64();
    return reader.failed ? null : { view, height: 0 };
  }
  const view = kind === 'checkpoint' ? 0 : reader.u64();
  if (kind !== 'checkpoint') reader.hash();
  const height = reader.u64();
  reader.hash();
  const slot = reader.finish({ view, height }, kind);
  return 'reject' in slot ? null : slot;
}

function setOf(system: SystemState, id: number): ValidatorSet | null {
  if (system.validatorSet.id === id) return system.validatorSet;
  const { previousSet } = system.governance;
  return previousSet?.id === id ? previousSet : null;
}

function isSameSlot(record: EvidenceRecord, proof: EvidenceProof, slot: Slot): boolean {
  return (
    record.validatorSetId === proof.validatorSetId &&
    record.signer === proof.signer &&
    record.kind === proof.kind &&
    record.view === slot.view &&
    record.slotHeight === slot.height
  );
}

/** Records of sets whose evidence cannot be verified any more make room. */
function isLive(system: SystemState, record: EvidenceRecord): boolean {
  return setOf(system, record.validatorSetId) !== null;
}

function checkRoom(system: SystemState, { validatorSetId, signer }: EvidenceProof): number {
  const live = system.governance.evidence.filter(record => isLive(system, record));
  const same = live.filter(
    record => record.validatorSetId === validatorSetId && record.signer === signer,
  ).length;
  const hasRoom = live.length < LIMITS.evidenceRecords && same < LIMITS.evidencePerValidator;
  return demand(hasRoom, OUTCOMES.limitReached);
}

/** Signatures last: what is known or malformed costs no curve arithmetic, anything else two verifications. */
export function checkEvidence(
  suite: Suite,
  chainId: Hash,
  system: SystemState,
  proof: EvidenceProof,
): number {
  const { kind, first, second } = proof;
  const validator = setOf(system, proof.validatorSetId)?.validators[proof.signer];
  const [slot, other] = [slotOf(kind, first.body), slotOf(kind, second.body)];
  if (validator === undefined || slot === null || other === null) return OUTCOMES.badEvidence;
  const conflict =
    slot.view === other.view && slot.height === other.height && !equalBytes(first.body, second.body);
  const isSigned = ({ body, signature }: EvidenceMessage) =>
    suite.verify(validator.publicKey, consensusBytes(kind, chainId, proof.validatorSetId, body), signature);
  return firstRefusal(
    () => demand(conflict, OUTCOMES.badEvidence),
    () =>
      demand(
        !system.governance.evidence.some(record => isSameSlot(record, proof, slot)),
        OUTCOMES.evidenceKnown,
      ),
    () => checkRoom(system, proof),
    () => demand(isSigned(first) && isSigned(second), OUTCOMES.badEvidence),
  );
}

/** Recorded and shown; whether the validator goes is for the administrators to decide. */
export const evidence: Rule<'evidence'> = {
  scopes: ({ state }) => [state.logIdOf('system', state.chainId)],
  check: ({ suite, state }, [proof]) => checkEvidence(suite, state.chainId, state.system(), proof),
  apply: {
    system: (system, proof, { height, position }) => {
      const { validatorSetId, signer, kind, first } = proof;
      const slot = slotOf(kind, first.body) ?? { view: 0, height: 0 };
      const validator = setOf(system, validatorSetId)?.validators[signer]?.name ?? '';
      const record = { validatorSetId, signer, validator, kind, view: slot.view, slotHeight: slot.height };
      const { governance } = system;
      const full = governance.evidence.length >= LIMITS.evidenceRecords;
      const kept = full ? governance.evidence.filter(entry => isLive(system, entry)) : governance.evidence;
      const records = [...kept, { ...record, height, position }];
      return { ...system, version: system.version + 1, governance: { ...governance, evidence: records } };
    },
  },
};
