import { utf8, utf8Decode } from '../../core/base/bytes.ts';
import { type Hash, isHash } from '../../core/base/ids.ts';
import type { RecordField } from '../../core/light/fields.ts';
import type { FileReference } from '../../core/types/operation.ts';
import { type Refusal, refuse } from './refusal.ts';

/** A file of a record as its readers know it; the chain shows the first three only. */
export interface RecordFile {
  /** CIDv1 text of the UnixFS root over the ciphertext. */
  readonly cid: string;
  readonly keyCommitment: Hash;
  readonly ciphertextBytes: number;
  /** Content key, 32 bytes. */
  readonly key: Uint8Array;
  readonly name: string;
  readonly mediaType: string;
  readonly plaintextBytes: number;
  /** SHA-256 of the plaintext: finds a file that is in the phase already. */
  readonly plaintextHash: Hash;
}

/** What a record says; all of it is encrypted. */
export interface RecordContent {
  /** The application's name for the kind of record; may be empty. */
  readonly type: string;
  readonly title: string;
  readonly mediaType: string;
  readonly data: Uint8Array;
  readonly files: readonly RecordFile[];
  /** Who signed it for the member; the chain has a hash of this (`userIdBytes`). */
  readonly user?: RecordUser;
}

/** The name that a user's id is the salted hash of. */
export interface RecordUser {
  readonly name: string;
  /** 32 bytes in hexadecimal characters. */
  readonly salt: Hash;
}

const VERSION = 1;
/** Members of JSON data that are fields of their own; data with more is one field only. */
const DATA_FIELDS_MAX = 256;
const DATA_FIELD_NAME_BYTES_MAX = 128;
/** Longest texts, in bytes of UTF-8. */
const TEXT_BYTES_MAX = { type: 128, title: 1024, mediaType: 256, name: 1024, user: 128 } as const;

/** JSON with sorted keys and no white space: one value, one text (RFC 8785 for the values that occur here). */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${canonicalJson(entry)}`).join(',')}}`;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Null for anything but the one base64 form of some bytes. */
function fromBase64(text: string): Uint8Array | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : null;
}

/** Names the first text that is too long; null when all fit. */
export function checkContent(content: RecordContent): Refusal | null {
  const texts: (readonly [keyof typeof TEXT_BYTES_MAX, string])[] = [
    ['type', content.type],
    ['title', content.title],
    ['mediaType', content.mediaType],
    ...(content.user === undefined ? [] : [['user', content.user.name] as const]),
    ...content.files.flatMap((file): [keyof typeof TEXT_BYTES_MAX, string][] => [
      ['name', file.name],
      ['mediaType', file.mediaType],
    ]),
  ];
  for (const [field, text] of texts) {
    const bytes = utf8(text).length;
    if (bytes <= TEXT_BYTES_MAX[field]) continue;
    const detail = `the ${field} "${text.slice(0, 40)}…" has ${bytes} bytes, at most ${TEXT_BYTES_MAX[field]}`;
    return refuse('too_large', detail, 'Shorten it.');
  }
  return null;
}

/** Plaintext of a payload: canonical JSON in UTF-8. Data that is text stays readable, everything else is base64. */
export function encodePayload(content: RecordContent): Uint8Array {
  const text = utf8Decode(content.data);
  const files = content.files.map(file => ({
    cid: file.cid,
    key: toBase64(file.key),
    name: file.name,
    mediaType: file.mediaType,
    bytes: file.plaintextBytes,
    hash: file.plaintextHash,
  }));
  const { type, title, mediaType } = content;
  const data = text === null ? { base64: toBase64(content.data) } : { text };
  const signer = content.user === undefined ? {} : { user: content.user };
  return utf8(canonicalJson({ v: VERSION, type, title, mediaType, data, files, ...signer }));
}

/** `data.<member>` of data that is a JSON object. */
function dataFields(data: Uint8Array): RecordField[] {
  const text = utf8Decode(data);
  // most data is no object, and an error of the parser costs more than this look
  if (text === null || !/^\s*\{/.test(text)) return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  const entries = isJson(value) ? Object.entries(value) : [];
  if (entries.length > DATA_FIELDS_MAX) return [];
  return entries
    .filter(([name]) => utf8(name).length <= DATA_FIELD_NAME_BYTES_MAX)
    .map(([name, entry]) => ({ name: `data.${name}`, value: canonicalJson(entry) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The fields of a payload that can be shown one by one (`RecordMeta.fieldsRoot`), always in the same order; without the files' keys. */
export function payloadFields({ type, title, mediaType, data, files, user }: RecordContent): RecordField[] {
  const text = utf8Decode(data);
  const shown = files.map(file => ({
    ...{ cid: file.cid, name: file.name, mediaType: file.mediaType },
    ...{ bytes: file.plaintextBytes, hash: file.plaintextHash },
  }));
  const whole = {
    type,
    title,
    mediaType,
    data: text === null ? { base64: toBase64(data) } : { text },
    files: shown,
    ...(user === undefined ? {} : { user }),
  };
  const fields = Object.entries(whole).map(([name, value]) => ({ name, value: canonicalJson(value) }));
  return [...fields, ...dataFields(data)];
}

type Json = Readonly<Record<string, unknown>>;

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function decodeData(value: unknown): Uint8Array | null {
  if (!isJson(value)) return null;
  if (typeof value.text === 'string') return utf8(value.text);
  return typeof value.base64 === 'string' ? fromBase64(value.base64) : null;
}

/** Nothing for a record that the member itself signed; null for what is no name. */
function decodeUser(value: unknown): Pick<RecordContent, 'user'> | null {
  if (value === undefined) return {};
  if (!isJson(value) || typeof value.name !== 'string' || !isHash(value.salt)) return null;
  return { user: { name: value.name, salt: value.salt } };
}

/** The signed metadata names the file; the payload adds what only readers may know. Null when the two disagree. */
function decodeFile(value: unknown, reference: FileReference): RecordFile | null {
  if (!isJson(value)) return null;
  const { cid, key, name, mediaType, bytes, hash } = value;
  if (cid !== reference.cid || typeof key !== 'string') return null;
  const keyBytes = fromBase64(key);
  if (keyBytes?.length !== 32 || typeof name !== 'string' || typeof mediaType !== 'string') return null;
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 0 || !isHash(hash)) return null;
  const { keyCommitment, ciphertextBytes } = reference;
  const plaintextBytes = bytes as number;
  return {
    ...{ cid, keyCommitment, ciphertextBytes },
    key: keyBytes,
    name,
    mediaType,
    plaintextBytes,
    plaintextHash: hash,
  };
}

/**
 * Null for bytes that this version did not write, or that name other files than the signed metadata does. An author is
 * a participant, not a friend: nothing of it is trusted.
 * @param references of the record's metadata
 */
export function decodePayload(bytes: Uint8Array, references: readonly FileReference[]): RecordContent | null {
  let value: unknown;
  try {
    value = JSON.parse(utf8Decode(bytes) ?? '');
  } catch {
    return null;
  }
  if (!isJson(value) || value.v !== VERSION || !Array.isArray(value.files)) return null;
  const { type, title, mediaType } = value;
  if (typeof type !== 'string' || typeof title !== 'string' || typeof mediaType !== 'string') return null;
  const data = decodeData(value.data);
  if (data === null || value.files.length !== references.length) return null;
  const files: RecordFile[] = [];
  for (const [index, entry] of value.files.entries()) {
    const file = decodeFile(entry, references[index]!);
    if (file === null) return null;
    files.push(file);
  }
  const user = decodeUser(value.user);
  if (user === null) return null;
  const content: RecordContent = { type, title, mediaType, data, files, ...user };
  return checkContent(content) === null ? content : null;
}
