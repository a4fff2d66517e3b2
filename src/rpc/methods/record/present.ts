import { z } from 'zod';
import { utf8Decode } from '../../../core/base/bytes.ts';
import type { FileView, RecordReceipt, RecordView } from '../../api.ts';
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

export const fileSchema = z.object({
  cid: z.string(),
  name: z.string(),
  mediaType: z.string(),
  bytes: count,
  ciphertextBytes: count,
  keyCommitment: hashText,
});

export function presentFile(file: FileView) {
  const { cid, name, mediaType, bytes, ciphertextBytes, keyCommitment } = file;
  return { cid, name, mediaType, bytes, ciphertextBytes, keyCommitment };
}

export const recordReceiptSchema = receiptSchema.extend({ position: count, files: z.array(fileSchema) });

export function presentRecordReceipt(receipt: RecordReceipt) {
  const { id, height, timeMs, position, files } = receipt;
  return { id, height, time: time(timeMs), position, files: files.map(presentFile) };
}

export const recordSchema = z.object({
  phase: hashText,
  id: hashText,
  position: count,
  height: count,
  time: timeSchema,
  author: z.string(),
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
