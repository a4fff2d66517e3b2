import type { Hash, Sha256 } from '../base/ids.ts';
import { type Reject, reject } from '../base/reject.ts';
import { tagBytes } from '../codec/tags.ts';
import { Writer } from '../codec/writer.ts';
import { inclusionProof, leafHash, treeRoot, verifyInclusion } from '../merkle/log.ts';

/** Bytes of a field's salt. */
export const FIELD_SALT_BYTES = 32;

/** One field of a record's payload: `title`, or `data.amount` of data that is a JSON object. */
export interface RecordField {
  readonly name: string;
  /** Canonical JSON (RFC 8785). */
  readonly value: string;
}

/** Shows one field of a record, and says nothing about the others: every leaf of the tree has a secret salt of its own [86]. */
export interface FieldProof extends RecordField {
  /** 32 bytes. */
  readonly salt: Uint8Array;
  readonly index: number;
  readonly size: number;
  /** RFC 9162 inclusion path to `RecordMeta.fieldsRoot`. */
  readonly path: readonly Hash[];
}

/** A leaf names its place: the root has nothing else that binds the size of the tree. */
function fieldLeaf(sha256: Sha256, field: RecordField, salt: Uint8Array, index: number, size: number): Hash {
  const writer = new Writer().raw(tagBytes('recordField')).fixed(salt, FIELD_SALT_BYTES);
  writer.u32(index).u32(size).text(field.name).text(field.value);
  return leafHash(sha256, writer.finish());
}

function fieldLeaves(
  sha256: Sha256,
  fields: readonly RecordField[],
  saltOf: (name: string) => Uint8Array,
): Hash[] {
  return fields.map((field, index) => fieldLeaf(sha256, field, saltOf(field.name), index, fields.length));
}

/** @param saltOf 32 bytes that nobody can guess who does not have the content key, another for each name */
export function fieldsRoot(
  sha256: Sha256,
  fields: readonly RecordField[],
  saltOf: (name: string) => Uint8Array,
): Hash {
  return treeRoot(sha256, fieldLeaves(sha256, fields, saltOf));
}

/** Null when the payload has no such field. */
export function proveField(
  sha256: Sha256,
  fields: readonly RecordField[],
  saltOf: (name: string) => Uint8Array,
  name: string,
): FieldProof | null {
  const index = fields.findIndex(field => field.name === name);
  const field = fields[index];
  if (field === undefined) return null;
  const leaves = fieldLeaves(sha256, fields, saltOf);
  const path = inclusionProof(sha256, at => leaves[at]!, index, leaves.length);
  return { ...field, salt: saltOf(name), index, size: leaves.length, path };
}

/** The record's author committed to this field, with this value. */
export function checkField(sha256: Sha256, root: Hash, proof: FieldProof): Reject | null {
  const { index, size, path, salt } = proof;
  const leaf = fieldLeaf(sha256, proof, salt, index, size);
  if (verifyInclusion(sha256, { leaf, index, size, path, root })) return null;
  return reject('wrong_field', `the record does not have the field ${proof.name} with this value`);
}
