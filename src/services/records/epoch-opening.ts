import { ownKeyOf } from '../../core/access/member-keys.ts';
import { assertDefined } from '../../core/base/assert.ts';
import type { MemberId, PhaseId, ProjectId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { findMember } from '../../core/ledger/read.ts';
import type { PhaseCard } from '../../core/types/card.ts';
import type { Envelope, EpochOpening } from '../../core/types/operation.ts';
import type { EpochSecret } from '../../ports/phase-crypto.ts';
import { sealPhaseCard } from './cards.ts';
import type { Context } from './context.ts';
import { type Refusal, sealing, unknownMember } from './refusal.ts';

/** What an envelope is bound to besides its recipient. */
export interface EnvelopePlace {
  readonly project: ProjectId;
  readonly phase: PhaseId;
  readonly epoch: number;
  /** The membership version that the transaction replaces. */
  readonly membershipVersion: number;
}

/** What stands in an envelope for a member whose sealing key is no point of the curve: it opens to nobody. */
const NOTHING_SEALED = new Uint8Array(1);

/** What an opening has besides the new secret for each holder. */
export interface OpeningExtras {
  /** First epoch whose secret those get who lack it; the new one's number where nobody gets more. */
  readonly historyFrom: number;
  /** Secrets before the new one, for a holder: what it was granted and lacks. */
  readonly historyOf: (member: MemberId) => readonly EpochSecret[];
  /** The phase's recovery key, which gets the new secret too. */
  readonly recoveryKey: Uint8Array | null;
}

export function noExtras(number: number): OpeningExtras {
  return { historyFrom: number, historyOf: () => [], recoveryKey: null };
}

/** An epoch, and the members who hold no key that it could be sealed to. */
export interface DrawnEpoch {
  readonly opening: EpochOpening;
  readonly withoutKey: readonly MemberId[];
}

/** Seals secrets to the member's current key. Refused with `bad_sealing_key` when that is no point of the curve. */
export async function sealFor(
  { access, crypto }: Context,
  place: EnvelopePlace,
  member: MemberId,
  secrets: readonly EpochSecret[],
): Promise<Envelope | Refusal> {
  const known = findMember(access.system(), member);
  if (known === null) return unknownMember(member);
  const { keyId, key } = ownKeyOf(known);
  const context = { ...place, chainId: access.chainId, member, keyId };
  const sealed = await sealing(
    crypto.sealEnvelope(context, key.sealingKey, secrets),
    message => `no envelope for ${member}: ${message}`,
  );
  return isReject(sealed) ? sealed : { member, keyId, sealed };
}

/** An envelope of an epoch that must be opened whether or not this member has given a key that one can seal to. */
async function sealAnyhow(
  context: Context,
  place: EnvelopePlace,
  member: MemberId,
  secrets: readonly EpochSecret[],
): Promise<Envelope | Refusal> {
  const envelope = await sealFor(context, place, member, secrets);
  if (!isReject(envelope) || envelope.reject !== 'bad_sealing_key') return envelope;
  const known = assertDefined(findMember(context.access.system(), member), 'who has a key is a member');
  return { member, keyId: ownKeyOf(known).keyId, sealed: NOTHING_SEALED };
}

/**
 * Draws the next epoch: its secret goes into one envelope for each holder and nowhere else. A holder whose key is no point of the
 * curve gets an envelope with nothing in it: it must not be able to stop removals and rotations.
 * @param card of the phase, for those who hold the new secret
 * @param extras what else is sealed to whom
 */
export async function drawEpoch(
  context: Context,
  place: EnvelopePlace,
  holders: Iterable<MemberId>,
  card: PhaseCard,
  { historyFrom, historyOf, recoveryKey }: OpeningExtras = noExtras(place.epoch),
): Promise<DrawnEpoch | Refusal> {
  const secret = context.crypto.generateSecret();
  const keys = context.crypto.deriveEpoch(secret);
  const { commitment, publicKey } = keys;
  const secrets = [{ number: place.epoch, secret }];
  const sealed = await Promise.all(
    [...holders].map(member => sealAnyhow(context, place, member, [...historyOf(member), ...secrets])),
  );
  const envelopes: Envelope[] = [];
  for (const envelope of sealed) {
    if (isReject(envelope)) return envelope;
    envelopes.push(envelope);
  }
  const withoutKey = envelopes.filter(entry => entry.sealed === NOTHING_SEALED).map(entry => entry.member);
  const sealedCard = sealPhaseCard(context, keys, place, card);
  const { chainId } = context.access;
  const recovery =
    recoveryKey === null
      ? new Uint8Array()
      : await context.crypto.sealHistory({ ...place, chainId, publicKey: recoveryKey }, secrets);
  const made = { number: place.epoch, commitment, publicKey, envelopes, card: sealedCard };
  return { opening: { ...made, historyFrom, recovery }, withoutKey };
}
