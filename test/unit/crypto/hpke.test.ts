import { createCipheriv, createDecipheriv } from 'node:crypto';
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core';
import { p256 } from '@noble/curves/nist.js';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex, utf8 } from '../../../src/core/base/bytes.ts';
import {
  AES_128,
  generateSealingKey,
  hpke,
  hpkeRecipient,
  openSealed,
  p256Unsealer,
} from '../../../src/crypto/hpke.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';

// A second implementation of RFC 9180 base mode, on other libraries, from sections 4 and 5 of the RFC.
const EMPTY = new Uint8Array(0);
const KEM = concatBytes(utf8('KEM'), new Uint8Array([0, 0x10]));
/** AEAD 1 is AES-128-GCM, which the RFC has vectors for; 2 is AES-256-GCM, which is used here. */
const suiteIdOf = (aead: 1 | 2) => concatBytes(utf8('HPKE'), new Uint8Array([0, 0x10, 0, 1, 0, aead]));

function labeledExtract(suiteId: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array {
  return extract(sha256, concatBytes(utf8('HPKE-v1'), suiteId, utf8(label), ikm), salt);
}

function labeledExpand(
  suiteId: Uint8Array,
  prk: Uint8Array,
  label: string,
  info: Uint8Array,
  length: number,
) {
  const labeled = concatBytes(new Uint8Array([0, length]), utf8('HPKE-v1'), suiteId, utf8(label), info);
  return expand(sha256, prk, labeled, length);
}

function sharedSecret(
  ours: Uint8Array,
  theirs: Uint8Array,
  enc: Uint8Array,
  recipient: Uint8Array,
): Uint8Array {
  const dh = p256.getSharedSecret(ours, theirs, true).slice(1);
  const prk = labeledExtract(KEM, EMPTY, 'eae_prk', dh);
  return labeledExpand(KEM, prk, 'shared_secret', concatBytes(enc, recipient), 32);
}

function schedule(
  shared: Uint8Array,
  info: Uint8Array,
  aead: 1 | 2 = 2,
): { key: Uint8Array; nonce: Uint8Array } {
  const HPKE = suiteIdOf(aead);
  const pskIdHash = labeledExtract(HPKE, EMPTY, 'psk_id_hash', EMPTY);
  const infoHash = labeledExtract(HPKE, EMPTY, 'info_hash', info);
  const context = concatBytes(new Uint8Array([0]), pskIdHash, infoHash);
  const secret = labeledExtract(HPKE, shared, 'secret', EMPTY);
  return {
    key: labeledExpand(HPKE, secret, 'key', context, aead * 16),
    nonce: labeledExpand(HPKE, secret, 'base_nonce', context, 12),
  };
}

const privateKey = generateSealingKey();
const publicPoint = p256.getPublicKey(privateKey, false);
const publicKey = p256.getPublicKey(privateKey, true);
const info = utf8('info');
const secret = utf8('an epoch secret');

/** RFC 9180, appendix A.3.1, sequence number 0. */
const CIPHERTEXT =
  '5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434';

describe('HPKE', () => {
  it('has a second implementation that meets RFC 9180, appendix A.3.1', () => {
    const hex = (text: string) => fromHex(text)!;
    const enc = hex(
      '04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac9' +
        '8536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4',
    );
    const skR = hex('f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2');
    const shared = sharedSecret(skR, enc, enc, p256.getPublicKey(skR, false));
    expect(toHex(shared)).toBe('c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8');
    // The schedule differs from the one used here in the AEAD's number and key length only.
    const { key, nonce } = schedule(shared, hex('4f6465206f6e2061204772656369616e2055726e'), 1);
    expect(toHex(key)).toBe('868c066ef58aae6dc589b6cfdd18f97e');
    expect(toHex(nonce)).toBe('4e0bc5018beba4bf004cca59');
    const cipher = createCipheriv('aes-128-gcm', key, nonce);
    cipher.setAAD(utf8('Count-0'));
    const text = utf8('Beauty is truth, truth beauty');
    const sealed = concatBytes(cipher.update(text), cipher.final(), cipher.getAuthTag());
    expect(toHex(sealed)).toBe(CIPHERTEXT);
  });

  it('opens the ciphertext of RFC 9180, appendix A.3.1', () => {
    const hex = (text: string) => fromHex(text)!;
    const skR = hex('f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2');
    const enc = hex(
      '04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac9' +
        '8536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4',
    );
    const rfcInfo = hex('4f6465206f6e2061204772656369616e2055726e');
    const sealed = concatBytes(enc, hex(CIPHERTEXT));
    const opened = openSealed(AES_128, hpkeRecipient(skR), sealed, rfcInfo, utf8('Count-0'));
    expect(new TextDecoder().decode(opened!)).toBe('Beauty is truth, truth beauty');
    expect(openSealed(AES_128, hpkeRecipient(skR), sealed, rfcInfo, utf8('Count-1'))).toBeNull();
  });

  it('opens what a library seals, and seals what it opens', async () => {
    const buffer = (bytes: Uint8Array) => new Uint8Array(bytes).buffer;
    const suite = new CipherSuite({
      kem: new DhkemP256HkdfSha256(),
      kdf: new HkdfSha256(),
      aead: new Aes256Gcm(),
    });
    const recipientPublicKey = await suite.kem.importKey('raw', buffer(publicPoint), true);
    const theirs = await suite.seal({ recipientPublicKey, info: buffer(info) }, buffer(secret));
    const sealed = concatBytes(new Uint8Array(theirs.enc), new Uint8Array(theirs.ct));
    expect(await p256Unsealer(privateKey).open(info, sealed)).toEqual(secret);

    const ours = await hpke.seal(publicKey, info, secret);
    const recipientKey = {
      privateKey: await suite.kem.importKey('raw', buffer(privateKey), false),
      publicKey: recipientPublicKey,
    };
    const enc = buffer(ours.subarray(0, 65));
    const opened = await suite.open({ recipientKey, enc, info: buffer(info) }, buffer(ours.subarray(65)));
    expect(new Uint8Array(opened)).toEqual(secret);
  });

  it('takes an encapsulated key in the form of the RFC only, and only a point of the curve', async () => {
    const sealed = await hpke.seal(publicKey, info, secret);
    const unsealer = p256Unsealer(privateKey);
    const y = sealed[64]! & 1;
    const hybrid = concatBytes(Uint8Array.of(6 + y), sealed.subarray(1));
    expect(await unsealer.open(info, hybrid)).toBeNull();
    const offCurve = sealed.slice();
    offCurve.fill(0xff, 1, 65);
    expect(await unsealer.open(info, offCurve)).toBeNull();
  });

  it('seals what the second implementation opens', async () => {
    const sealed = await hpke.seal(publicKey, info, secret);
    const enc = sealed.subarray(0, 65);
    const { key, nonce } = schedule(sharedSecret(privateKey, enc, enc, publicPoint), info);
    const decipher = createDecipheriv('aes-256-gcm', key, nonce);
    decipher.setAuthTag(sealed.subarray(sealed.length - 16));
    const opened = concatBytes(decipher.update(sealed.subarray(65, sealed.length - 16)), decipher.final());
    expect(toHex(opened)).toBe(toHex(secret));
  });

  it('opens what the second implementation seals', async () => {
    const ephemeral = generateSealingKey();
    const enc = p256.getPublicKey(ephemeral, false);
    const { key, nonce } = schedule(sharedSecret(ephemeral, publicPoint, enc, publicPoint), info);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    const sealed = concatBytes(enc, cipher.update(secret), cipher.final(), cipher.getAuthTag());
    expect(await p256Unsealer(privateKey).open(info, sealed)).toEqual(secret);
  });

  it('answers null for another key, another info, any damaged byte and short input', async () => {
    const sealed = await hpke.seal(publicKey, info, secret);
    const unsealer = p256Unsealer(privateKey);
    expect(unsealer.publicKey).toEqual(publicKey);
    expect(await unsealer.open(info, sealed)).toEqual(secret);
    expect(await unsealer.open(utf8('other'), sealed)).toBeNull();
    expect(await p256Unsealer(generateSealingKey()).open(info, sealed)).toBeNull();
    for (let index = 0; index < sealed.length; index += 1) {
      const damaged = sealed.slice();
      damaged[index]! ^= 1;
      expect(await unsealer.open(info, damaged), `byte ${index}`).toBeNull();
    }
    for (const length of [0, 64, 65, 80]) {
      expect(await unsealer.open(info, sealed.subarray(0, length))).toBeNull();
    }
  });

  it('refuses to seal to what is no point of the curve', async () => {
    for (const bad of [new Uint8Array(33), publicPoint, publicKey.subarray(1)]) {
      const failure = await hpke.seal(bad, info, secret).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(OperatingError);
      expect(failure).toMatchObject({ code: 'bad_sealing_key' });
    }
  });
});
