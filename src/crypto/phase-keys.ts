import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { assert } from '../core/base/assert.ts';
import { concatBytes, equalBytes, hashBytes, toHex, utf8 } from '../core/base/bytes.ts';
import type { Hash } from '../core/base/ids.ts';
import { isReject } from '../core/base/reject.ts';
import { Reader } from '../core/codec/reader.ts';
import { type TagName, tagBytes } from '../core/codec/tags.ts';
import { Writer } from '../core/codec/writer.ts';
import { LIMITS } from '../core/types/limits.ts';
import type { WrappedKey } from '../core/types/operation.ts';
import type { EnvelopeContext, EpochKeys, EpochSecret, WrapContext } from '../ports/phase-crypto.ts';
import type { RandomBytes } from '../ports/random.ts';
import type { Hpke, Unsealer } from '../ports/sealing.ts';
import { hpke, p256Unsealer } from './hpke.ts';
import { privateKeyFromWideBytes } from './p256.ts';
import { systemRandom } from './random.ts';

export const SECRET_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** HKDF-SHA256 (RFC 5869) with the tag as salt: one secret, one purpose a tag. */
export function derive(tag: TagName, secret: Uint8Array, label: string, bytes: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, tagBytes(tag), utf8(label), bytes));
}

export function generateSecret(random: RandomBytes = systemRandom): Uint8Array {
  return random(SECRET_BYTES);
}

/** @param secret 32 bytes */
export function deriveEpoch(secret: Uint8Array): EpochKeys {
  assert(secret.length === SECRET_BYTES, 'an epoch secret is 32 bytes');
  const unsealer = p256Unsealer(privateKeyFromWideBytes(derive('epochSecret', secret, 'sealing key', 48)));
  return {
    payloadKey: derive('payloadKey', secret, '', SECRET_BYTES),
    unsealer,
    commitment: toHex(derive('epochSecret', secret, 'commitment', 32)) as Hash,
    publicKey: unsealer.publicKey,
  };
}

/** Binds a ciphertext to its key: AES-GCM alone does not (DESIGN.md section 5). */
export function keyCommitment(contentKey: Uint8Array): Hash {
  return toHex(derive('keyCommitment', contentKey, '', 32)) as Hash;
}

function envelopeInfo(context: EnvelopeContext): Uint8Array {
  return new Writer()
    .raw(tagBytes('envelope'))
    .hash(context.chainId)
    .hash(context.project)
    .hash(context.phase)
    .u32(context.epoch)
    .u64(context.membershipVersion)
    .text(context.member)
    .u32(context.keyId)
    .finish();
}

export function encodeSecrets(secrets: readonly EpochSecret[]): Uint8Array {
  const plaintext = new Writer().list(secrets, (out, entry) => {
    out.u32(entry.number).fixed(entry.secret, SECRET_BYTES);
  });
  return plaintext.finish();
}

/** Null when it is anything but a list of secrets. */
export function decodeSecrets(plaintext: Uint8Array): EpochSecret[] | null {
  const reader = new Reader(plaintext);
  const secrets = reader.list(LIMITS.epochsPerPhase, from => ({
    number: from.u32(),
    secret: from.fixed(SECRET_BYTES),
  }));
  const whole = reader.finish(secrets, 'envelope');
  return isReject(whole) ? null : whole;
}

/** @param recipientKey the member's current sealing key, 33 bytes */
export function sealEnvelope(
  context: EnvelopeContext,
  recipientKey: Uint8Array,
  secrets: readonly EpochSecret[],
  sealer: Hpke = hpke,
): Promise<Uint8Array> {
  return sealer.seal(recipientKey, envelopeInfo(context), encodeSecrets(secrets));
}

/** Null when it does not open here, or holds anything but a list of secrets. */
export async function openEnvelope(
  context: EnvelopeContext,
  unsealer: Unsealer,
  sealed: Uint8Array,
): Promise<EpochSecret[] | null> {
  const plaintext = await unsealer.open(envelopeInfo(context), sealed);
  return plaintext === null ? null : decodeSecrets(plaintext);
}

function wrapBytes(tag: TagName, context: WrapContext): Uint8Array {
  const writer = new Writer().raw(tagBytes(tag)).hash(context.chainId).hash(context.phase);
  return writer.u32(context.epoch).raw(hashBytes(context.keyCommitment)).finish();
}

/** Under the epoch's payload key, by one who is in the phase. */
export function wrapContentKey(
  keys: Pick<EpochKeys, 'payloadKey'>,
  context: WrapContext,
  contentKey: Uint8Array,
  random: RandomBytes = systemRandom,
): WrappedKey {
  const nonce = random(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keys.payloadKey, nonce);
  cipher.setAAD(wrapBytes('wrappedKey', context));
  const bytes = concatBytes(nonce, cipher.update(contentKey), cipher.final(), cipher.getAuthTag());
  return { mode: 'epoch', bytes };
}

/** To the epoch's public key, by one who is not in the phase. */
export async function wrapContentKeyFromOutside(
  epochPublicKey: Uint8Array,
  context: WrapContext,
  contentKey: Uint8Array,
  sealer: Hpke = hpke,
): Promise<WrappedKey> {
  return {
    mode: 'hpke',
    bytes: await sealer.seal(epochPublicKey, wrapBytes('handover', context), contentKey),
  };
}

function unwrapWithPayloadKey(key: Uint8Array, context: WrapContext, bytes: Uint8Array): Uint8Array | null {
  if (bytes.length !== NONCE_BYTES + SECRET_BYTES + TAG_BYTES) return null;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(wrapBytes('wrappedKey', context));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const opened = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES));
  try {
    return concatBytes(opened, decipher.final());
  } catch {
    return null;
  }
}

/** The content key, or null when it does not open or is not the key that was committed to. */
export async function unwrapContentKey(
  keys: Pick<EpochKeys, 'payloadKey' | 'unsealer'>,
  context: WrapContext,
  wrapped: WrappedKey,
): Promise<Uint8Array | null> {
  const contentKey =
    wrapped.mode === 'epoch'
      ? unwrapWithPayloadKey(keys.payloadKey, context, wrapped.bytes)
      : await keys.unsealer.open(wrapBytes('handover', context), wrapped.bytes);
  if (contentKey === null || contentKey.length !== SECRET_BYTES) return null;
  return isCommittedKey(contentKey, context.keyCommitment) ? contentKey : null;
}

export function isCommittedKey(contentKey: Uint8Array, commitment: Hash): boolean {
  return equalBytes(hashBytes(keyCommitment(contentKey)), hashBytes(commitment));
}
