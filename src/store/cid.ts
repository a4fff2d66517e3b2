import { createHash } from 'node:crypto';
import * as dagPb from '@ipld/dag-pb';
import { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import { create as createDigest } from 'multiformats/hashes/digest';
import { sha256 } from 'multiformats/hashes/sha2';
import { equalBytes } from '../core/base/bytes.ts';

/** Base32, lower case: CIDv1 with a SHA-256 multihash has this one form, and no character of it means anything to a file system. */
const CID_TEXT = /^b[a-z2-7]{58}$/;

/** Null for all but CIDv1 in base32 with SHA-256 and codec raw or dag-pb (SCENARIOS 88). */
export function parseCid(text: string): CID | null {
  if (!CID_TEXT.test(text)) return null;
  let cid: CID;
  try {
    cid = CID.parse(text);
  } catch {
    return null;
  }
  const known = cid.code === raw.code || cid.code === dagPb.code;
  const whole = cid.multihash.code === sha256.code && cid.multihash.digest.length === 32;
  // base32 has unused bits at the end: only the canonical text is a name
  return known && whole && cid.version === 1 && cid.toString() === text ? cid : null;
}

export function blockCid(codec: 'raw' | 'dag-pb', bytes: Uint8Array): CID {
  const hash = createHash('sha256').update(bytes).digest();
  return CID.createV1((codec === 'raw' ? raw : dagPb).code, createDigest(sha256.code, hash));
}

export function verifyCid(cid: CID, bytes: Uint8Array): boolean {
  return equalBytes(createHash('sha256').update(bytes).digest(), cid.multihash.digest);
}
