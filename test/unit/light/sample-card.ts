import type { Hash, PhaseId } from '../../../src/core/base/ids.ts';
import { encodeCard, encodeCardCiphertext } from '../../../src/core/codec/card.ts';
import { logIdOf } from '../../../src/core/codec/transaction.ts';
import type { SealedCard } from '../../../src/core/types/card.ts';
import { keyCommitment } from '../../../src/crypto/phase-keys.ts';
import { sealPayload } from '../../../src/crypto/record-cipher.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';

export const CARD_KEY = new Uint8Array(32).fill(7);

/** In epoch 1. */
export function sampleCard(chainId: Hash, phase: PhaseId): SealedCard {
  const commitment = keyCommitment(CARD_KEY);
  const logId = logIdOf(nodeSuite.sha256, chainId, 'phase', phase);
  const card = encodeCard({ label: 'intake', project: 'permits', recordTypes: [] });
  const bytes = encodeCardCiphertext({
    keyCommitment: commitment,
    wrappedKey: { mode: 'epoch', bytes: new Uint8Array(60) },
    payload: sealPayload(CARD_KEY, { logId, epoch: 1, keyCommitment: commitment }, card),
  });
  return { epoch: 1, bytes };
}
