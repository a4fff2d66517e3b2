import type { PhaseCrypto } from '../ports/phase-crypto.ts';
import { openProjectCard, sealProjectCard } from './card-cipher.ts';
import { fieldSalts } from './field-salt.ts';
import {
  deriveEpoch,
  generateSecret,
  keyCommitment,
  openEnvelope,
  sealEnvelope,
  unwrapContentKey,
  wrapContentKey,
  wrapContentKeyFromOutside,
} from './phase-keys.ts';
import { systemRandom } from './random.ts';
import { openPayload, sealedPayloadBytes, sealPayload } from './record-cipher.ts';
import {
  combineShares,
  deriveRecovery,
  openHistory,
  openShare,
  sealHistory,
  sealShare,
  shareCommitment,
  splitSecret,
} from './recovery.ts';

/** The port as the records service takes it. */
export const phaseCrypto: PhaseCrypto = {
  generateSecret: () => generateSecret(),
  randomBytes: systemRandom,
  deriveEpoch,
  keyCommitment,
  sealEnvelope,
  openEnvelope,
  wrapContentKey,
  wrapContentKeyFromOutside,
  unwrapContentKey,
  sealedPayloadBytes,
  sealPayload,
  openPayload,
  fieldSalts,
  sealProjectCard,
  openProjectCard,
  deriveRecovery,
  splitSecret,
  combineShares,
  shareCommitment,
  sealShare,
  openShare,
  sealHistory,
  openHistory,
};
