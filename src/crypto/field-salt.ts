import { createHmac, hkdfSync } from 'node:crypto';
import { tagBytes } from '../core/codec/tags.ts';

const SALT_BYTES = 32;

/**
 * Salts of a record's fields, drawn from its content key: who may read the record can compute them all, and one that is shown
 * says nothing about the key or the others.
 * @param contentKey 32 bytes
 */
export function fieldSalts(contentKey: Uint8Array): (name: string) => Uint8Array {
  const key = new Uint8Array(hkdfSync('sha256', contentKey, tagBytes('recordField'), '', SALT_BYTES));
  return name => new Uint8Array(createHmac('sha256', key).update(name).digest());
}
