import { combine, split } from 'shamir-secret-sharing';
import { assert } from '../core/base/assert.ts';
import { toHex } from '../core/base/bytes.ts';
import type { Hash } from '../core/base/ids.ts';
import { tagBytes } from '../core/codec/tags.ts';
import { Writer } from '../core/codec/writer.ts';
import { SIZES } from '../core/types/limits.ts';
import type {
  EpochSecret,
  HistoryContext,
  RecoveryContext,
  RecoveryKeys,
  ShareContext,
} from '../ports/phase-crypto.ts';
import type { Hpke, Unsealer } from '../ports/sealing.ts';
import { hpke, p256Unsealer } from './hpke.ts';
import { privateKeyFromWideBytes } from './p256.ts';
import { decodeSecrets, derive, encodeSecrets, SECRET_BYTES } from './phase-keys.ts';

/** A byte of the polynomial's value for each byte of the secret, and the place where it was taken. */
const SHARE_BYTES = SECRET_BYTES + 1;

/** @param secret 32 bytes, of which the shares are */
export function deriveRecovery(secret: Uint8Array): RecoveryKeys {
  assert(secret.length === SECRET_BYTES, 'a recovery secret is 32 bytes');
  const unsealer = p256Unsealer(privateKeyFromWideBytes(derive('recoverySecret', secret, 'sealing key', 48)));
  const commitment = toHex(derive('recoverySecret', secret, 'commitment', 32)) as Hash;
  return { unsealer, publicKey: unsealer.publicKey, commitment };
}

/** Shamir's scheme over GF(2^8): any `threshold` of the shares give the secret, fewer say nothing of it. */
export async function splitSecret(secret: Uint8Array, shares: number, threshold: number) {
  return split(new Uint8Array(secret), shares, threshold);
}

/** @param shares each a different one; what comes out is theirs only if it derives what was committed to */
export async function combineShares(shares: readonly Uint8Array[]): Promise<Uint8Array> {
  return combine(shares.map(share => new Uint8Array(share)));
}

export function shareCommitment(share: Uint8Array): Hash {
  return toHex(derive('recoveryShare', share, 'commitment', 32)) as Hash;
}

function placeOf(writer: Writer, { chainId, project, phase, publicKey }: RecoveryContext): Writer {
  return writer.hash(chainId).hash(project).hash(phase).fixed(publicKey, SIZES.publicKey);
}

function shareInfo(context: ShareContext): Uint8Array {
  const { holder, ask, recipient, keyId } = context;
  const tag = ask === null ? 'recoveryShare' : 'recoveryOffer';
  const writer = placeOf(new Writer().raw(tagBytes(tag)), context).text(holder);
  if (ask !== null) writer.u64(ask);
  return writer.text(recipient).u32(keyId).finish();
}

/** @param recipientKey the recipient's current sealing key, 33 bytes */
export function sealShare(
  context: ShareContext,
  recipientKey: Uint8Array,
  share: Uint8Array,
  sealer: Hpke = hpke,
): Promise<Uint8Array> {
  return sealer.seal(recipientKey, shareInfo(context), share);
}

/** Null when it does not open here, or is no share. */
export async function openShare(
  context: ShareContext,
  unsealer: Unsealer,
  sealed: Uint8Array,
): Promise<Uint8Array | null> {
  const share = await unsealer.open(shareInfo(context), sealed);
  return share?.length === SHARE_BYTES ? share : null;
}

function historyInfo(context: HistoryContext): Uint8Array {
  const writer = placeOf(new Writer().raw(tagBytes('recoveryHistory')), context);
  return writer.u32(context.epoch).u64(context.membershipVersion).finish();
}

/** To the recovery key, for whoever puts it together again. */
export function sealHistory(
  context: HistoryContext,
  secrets: readonly EpochSecret[],
  sealer: Hpke = hpke,
): Promise<Uint8Array> {
  return sealer.seal(context.publicKey, historyInfo(context), encodeSecrets(secrets));
}

/** Null when it does not open, or holds anything but a list of secrets. */
export async function openHistory(
  context: HistoryContext,
  unsealer: Unsealer,
  sealed: Uint8Array,
): Promise<EpochSecret[] | null> {
  const plaintext = await unsealer.open(historyInfo(context), sealed);
  return plaintext === null ? null : decodeSecrets(plaintext);
}
