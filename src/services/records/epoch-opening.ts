import type { MemberId, PhaseId, ProjectId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { findMember } from '../../core/ledger/read.ts';
import type { Envelope, EpochOpening } from '../../core/types/operation.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { EpochSecret } from '../../ports/phase-crypto.ts';
import type { Context } from './context.ts';
import { type Refusal, refuse, unknownMember } from './refusal.ts';

/** What an envelope is bound to besides its recipient. */
export interface EnvelopePlace {
  readonly project: ProjectId;
  readonly phase: PhaseId;
  readonly epoch: number;
  /** The membership version that the transaction replaces. */
  readonly membershipVersion: number;
}

/** Seals secrets to the member's current key. */
export async function sealFor(
  { access, crypto }: Context,
  place: EnvelopePlace,
  member: MemberId,
  secrets: readonly EpochSecret[],
): Promise<Envelope | Refusal> {
  const keys = findMember(access.system(), member)?.keys ?? [];
  const keyId = keys.length - 1;
  const key = keys[keyId];
  if (key === undefined) return unknownMember(member);
  try {
    const context = { ...place, chainId: access.chainId, member, keyId };
    return { member, keyId, sealed: await crypto.sealEnvelope(context, key.sealingKey, secrets) };
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    return refuse(error.code, `no envelope for ${member}: ${error.message}`, error.hint ?? 'Try again.');
  }
}

/** Draws the next epoch: its secret goes into one envelope for each holder and nowhere else. */
export async function drawEpoch(
  context: Context,
  place: EnvelopePlace,
  holders: Iterable<MemberId>,
): Promise<EpochOpening | Refusal> {
  const secret = context.crypto.generateSecret();
  const { commitment, publicKey } = context.crypto.deriveEpoch(secret);
  const secrets = [{ number: place.epoch, secret }];
  const sealed = await Promise.all([...holders].map(member => sealFor(context, place, member, secrets)));
  const envelopes: Envelope[] = [];
  for (const envelope of sealed) {
    if (isReject(envelope)) return envelope;
    envelopes.push(envelope);
  }
  return { number: place.epoch, commitment, publicKey, envelopes };
}
