import { z } from 'zod';
import { utf8Decode } from '../../../core/base/bytes.ts';
import type { CopiesWanted, FileView, RecordReceipt, RecordView } from '../../api.ts';
import type { ErrorName } from '../../errors.ts';
import {
  base64,
  bytesText,
  count,
  hashText,
  receiptSchema,
  textSchema,
  time,
  timeSchema,
} from '../../schemas.ts';

/** Texts that go into a record's payload. */
export const recordTextSchemas = {
  type: textSchema(128, 0).meta({ description: "the application's name for the kind of record" }),
  title: textSchema(1_024, 0).meta({ description: 'what people read in a list' }),
  mediaType: textSchema(128)
    .regex(/^[\w.+-]+\/[\w.+-]+(; ?[\w-]+=[\w."-]+)*$/, 'a media type such as text/plain')
    .meta({ description: 'media type of the data' }),
  /** Any name is kept; whoever saves the file makes it safe (SCENARIOS 88). */
  fileName: z.string().min(1).max(1_024).meta({ description: 'name of the file, as people know it' }),
};

/** A file of the node's machine, as callers name it. */
export const localFileSchemas = {
  path: z.string().min(1).max(4_096).meta({ description: "absolute path on the node's machine" }),
  name: recordTextSchemas.fileName.nullable().default(null),
  mediaType: recordTextSchemas.mediaType.default('application/octet-stream'),
};

/** How taking in a file of the node's machine can fail. */
export const TAKE_ERRORS: readonly ErrorName[] = [
  'not_found',
  'ambiguous_name',
  'forbidden',
  'conflict',
  'unavailable',
  'limit_exceeded',
];

/** The same for a record, which may name files. */
export const PUT_ERRORS: readonly ErrorName[] = [...TAKE_ERRORS, 'refused', 'expired'];

export const fileSchema = z.object({
  cid: z.string(),
  name: z.string(),
  mediaType: z.string(),
  bytes: count,
  sha256: hashText.meta({ description: "SHA-256 of the plaintext, as the record's author says" }),
  ciphertextBytes: count,
  keyCommitment: hashText,
});

export function presentFile(file: FileView) {
  const { cid, name, mediaType, bytes, sha256, ciphertextBytes, keyCommitment } = file;
  return { cid, name, mediaType, bytes, sha256, ciphertextBytes, keyCommitment };
}

const WAIT_MS_MAX = 3_600_000;

/** Null for a record that is committed at once, and shows the gap until others have its files. */
export const waitForCopiesSchema = z
  .strictObject({
    copies: z
      .int()
      .min(1)
      .nullable()
      .default(null)
      .meta({ description: "copies of each file, this node's among them; null for the phase's minimum" }),
    waitMs: z.int().min(0).max(WAIT_MS_MAX).default(60_000),
  })
  .nullable()
  .default(null)
  .meta({ description: 'write the record only after its files have so many copies' });

export function copiesWanted(given: z.output<typeof waitForCopiesSchema>): CopiesWanted | null {
  return given === null ? null : { ...given };
}

const storedFileSchema = fileSchema.extend({
  reused: z.boolean().meta({ description: 'true when the phase had the same content already' }),
});

export const recordReceiptSchema = receiptSchema.extend({
  position: count,
  files: z.array(storedFileSchema),
});

export function presentRecordReceipt(receipt: RecordReceipt) {
  const { id, height, timeMs, position, files } = receipt;
  const shown = files.map(file => ({ ...presentFile(file), reused: file.reused }));
  return { id, height, time: time(timeMs), position, files: shown };
}

export const recordSchema = z.object({
  phase: hashText,
  id: hashText,
  position: count,
  height: count,
  time: timeSchema,
  author: z.string(),
  user: z
    .object({ id: hashText, name: z.string().nullable() })
    .nullable()
    .meta({ description: "who signed it for the author; null for the author's own key" }),
  epoch: count,
  references: z.array(hashText),
  handedOverFrom: z.object({ phase: hashText, position: count, by: z.string() }).nullable(),
  verified: z.boolean(),
  content: z
    .object({
      type: z.string(),
      title: z.string(),
      mediaType: z.string(),
      bytes: count,
      data: bytesText.nullable().meta({ description: 'null where the call asked for records without data' }),
      text: z.string().nullable().meta({ description: 'the data as text, when it is text' }),
      files: z.array(fileSchema),
    })
    .nullable(),
  unreadable: z.string().nullable(),
  typeFault: z
    .string()
    .nullable()
    .meta({ description: 'why it does not follow the record types of the phase; null when it does' }),
});

function textOf(mediaType: string, data: Uint8Array): string | null {
  return /^text\/|[/+]json\b/.test(mediaType) ? utf8Decode(data) : null;
}

export function presentRecord(record: RecordView, withData = true) {
  const { content, timeMs, handedOverFrom, references, ...rest } = record;
  return {
    ...rest,
    time: time(timeMs),
    references: [...references],
    handedOverFrom: handedOverFrom === null ? null : { ...handedOverFrom },
    content:
      content === null
        ? null
        : {
            type: content.type,
            title: content.title,
            mediaType: content.mediaType,
            bytes: content.data.length,
            data: withData ? base64(content.data) : null,
            text: withData ? textOf(content.mediaType, content.data) : null,
            files: content.files.map(presentFile),
          },
  };
}
