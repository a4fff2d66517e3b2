import type { BlockHash, PhaseId } from '../core/base/ids.ts';
import type { Reject } from '../core/base/reject.ts';
import type { RangeUnit } from '../core/light/claims.ts';
import type { Dossier } from '../core/light/dossier.ts';
import type { DossierVerdict } from '../core/light/dossier-verify.ts';
import type { CertifiedHeader, ValidatorSet } from '../core/types/chain.ts';
import type { Question, Showing } from '../services/dossier/prover.ts';

export type { RangeUnit } from '../core/light/claims.ts';
export { SHOW_NOTHING, type Showing } from '../services/dossier/prover.ts';
export type ProofQuestion = Question;

/** A proof file, and what the verifier of third parties says of it. */
export interface ProofAnswer {
  readonly bytes: Uint8Array;
  readonly verdict: DossierVerdict;
}

export interface CertifiedHead {
  readonly head: CertifiedHeader;
  readonly hash: BlockHash;
  /** Decides the next height: with it the head can be pinned. */
  readonly set: ValidatorSet;
  /** Null where it is fresh. */
  readonly notFresh: Reject | null;
}

export interface ProofApi {
  /** The head that is held, and why it is not called fresh: f + 1 validators are asked whether they know a higher one. */
  certifiedHead(): Promise<CertifiedHead | Reject>;
  /** Verified before it is handed out; Reject `verification_failed` where it does not prove what was asked. */
  prove(question: ProofQuestion): Promise<ProofAnswer | Reject>;
  /** The structure of a proof file; nothing of it is verified. */
  readProof(bytes: Uint8Array): Dossier | Reject;
  /** The first position whose leaf is at or above a height or time (ms); the log's size where there is none. */
  firstPosition(phase: PhaseId, unit: RangeUnit, value: number): Promise<number | Reject>;
  /** A dossier of the phase as a stream of its bytes. */
  dossier(
    phase: PhaseId,
    show: Showing,
  ): Promise<{ readonly bytes: number | null; readonly stream: AsyncIterable<Uint8Array> } | Reject>;
}
