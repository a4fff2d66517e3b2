import type { Hash, MemberId, PhaseId, ProjectId } from '../../../src/core/base/ids.ts';
import { buildTransaction, signTransactions } from '../../../src/core/codec/build.ts';
import { encodeEpochRotate } from '../../../src/core/codec/operation.ts';
import { encodeSignedTransaction, logIdOf } from '../../../src/core/codec/transaction.ts';
import type { PhaseCard } from '../../../src/core/types/card.ts';
import { p256Unsealer } from '../../../src/crypto/hpke.ts';
import type { KeyBundle } from '../../../src/crypto/keystore.ts';
import { phaseCrypto } from '../../../src/crypto/phase-crypto.ts';
import { p256Signer } from '../../../src/crypto/signer.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { sealPhaseCard } from '../../../src/services/records/cards.ts';
import type { Context } from '../../../src/services/records/context.ts';

export interface Rotation {
  readonly chainId: Hash;
  readonly project: ProjectId;
  readonly phase: PhaseId;
  readonly epoch: number;
  readonly membershipVersion: number;
  readonly height: number;
  readonly steward: MemberId;
  /** Of all who will hold the epoch. */
  readonly keys: ReadonlyMap<MemberId, KeyBundle>;
  readonly card: PhaseCard;
  /** What it says is sealed to the recovery key of the phase; left out where that has none. */
  readonly recovery?: Uint8Array;
}

/** An `epochRotate` of a steward, made with its keys and nothing else: the owner has no part in it. */
export async function rotationBy(given: Rotation): Promise<Uint8Array> {
  const { chainId, project, phase, epoch, membershipVersion, keys, steward } = given;
  const secret = phaseCrypto.generateSecret();
  const derived = phaseCrypto.deriveEpoch(secret);
  const envelopes = await Promise.all(
    [...keys].map(async ([member, bundle]) => {
      const place = { chainId, project, phase, epoch, membershipVersion, member, keyId: 0 };
      const { publicKey } = p256Unsealer(bundle.sealing!);
      const sealed = await phaseCrypto.sealEnvelope(place, publicKey, [{ number: epoch, secret }]);
      return { member, keyId: 0, sealed };
    }),
  );
  const context = { access: { chainId }, crypto: phaseCrypto, suite: nodeSuite } as Context;
  const card = sealPhaseCard(context, derived, { phase, epoch }, given.card);
  const { commitment, publicKey } = derived;
  const opening = {
    ...{ number: epoch, commitment, publicKey, envelopes, card },
    ...{ historyFrom: epoch, recovery: given.recovery ?? new Uint8Array() },
  };
  const content = encodeEpochRotate({ phase, expectedMembershipVersion: membershipVersion, epoch: opening });
  const built = buildTransaction(nodeSuite.sha256, {
    ...{ chainId, sender: steward, keyId: 0, kind: 'epochRotate', lastValidHeight: given.height + 100 },
    scopes: [logIdOf(nodeSuite.sha256, chainId, 'phase', phase)],
    parts: [{ scope: 0, content, salt: phaseCrypto.randomBytes(32) }],
  });
  const signer = p256Signer(keys.get(steward)!.signing!);
  return encodeSignedTransaction(signTransactions(nodeSuite.sha256, signer, [built])[0]!);
}
