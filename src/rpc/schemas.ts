import { z } from 'zod';
import type { Hash, MemberId, TransactionId } from '../core/base/ids.ts';
import { LIMITS, SIZES } from '../core/types/limits.ts';

/** The shared vocabulary of parameters and results: hashes in hex, bytes in base64, times in ISO and milliseconds. */

export const hashSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'a hash is 64 lower-case hexadecimal characters')
  .transform(text => text as Hash)
  .meta({ description: 'SHA-256, 64 lower-case hexadecimal characters' });

/** For results: the value is a hash already. */
export const hashText = z.string().meta({ description: '64 hexadecimal characters' });

export const memberIdSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, 'a member id is a lower-case letter, then up to 31 of a-z, 0-9 and -')
  .transform(text => text as MemberId)
  .meta({ description: 'member id' });

export const peerIdSchema = z.string().min(1).max(LIMITS.peerIdBytes).meta({ description: 'libp2p peer id' });

export const nameSchema = z
  .string()
  .min(1)
  .max(LIMITS.labelBytes)
  .meta({ description: 'a label, a whole id, or at least 4 characters of the start of an id' });

export const phaseNameSchema = z
  .string()
  .min(1)
  .max(2 * LIMITS.labelBytes + 1)
  .meta({ description: 'a phase: its label, its id or the start of it, or project/phase' });

/** What people read: no control characters, bounded in bytes. */
export const labelSchema = textSchema(LIMITS.labelBytes).meta({ description: 'label' });

export function textSchema(bytesMax: number, bytesMin = 1) {
  return z
    .string()
    .max(bytesMax)
    .refine(text => Buffer.byteLength(text) <= bytesMax, `at most ${bytesMax} bytes of UTF-8`)
    .refine(text => Buffer.byteLength(text) >= bytesMin, 'may not be empty')
    .refine(text => !/[\p{Cc}\p{Cs}]/u.test(text), 'no control characters');
}

/** @param bytesMax limit of the decoded bytes */
export function bytesSchema(bytesMax: number, bytesMin = 0) {
  return z
    .string()
    .max(Math.ceil(bytesMax / 3) * 4, `at most ${bytesMax} bytes`)
    .transform((text, context) => {
      const bytes = Buffer.from(text, 'base64');
      // One text for one value: padded, no other characters, no stray bits.
      if (bytes.toString('base64') !== text) {
        context.addIssue({ code: 'custom', message: 'not canonical base64' });
      } else if (bytes.length < bytesMin || bytes.length > bytesMax) {
        context.addIssue({ code: 'custom', message: `${bytesMin} to ${bytesMax} bytes are taken` });
      }
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    })
    .meta({ description: 'bytes in base64', contentEncoding: 'base64' });
}

export const bytesText = z.string().meta({ description: 'bytes in base64', contentEncoding: 'base64' });

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

export const count = z.int().min(0);

export const timeSchema = z.object({ iso: z.string(), ms: z.int() }).meta({ description: 'a point in time' });

export function time(ms: number): { iso: string; ms: number } {
  return { iso: new Date(ms).toISOString(), ms };
}

export const headSchema = z.object({
  height: count,
  hash: hashText,
  time: timeSchema,
  transactions: count.nullable(),
});

export const checkSchema = z.object({ name: z.string(), ok: z.boolean(), detail: z.string() });

export const receiptSchema = z.object({ id: hashText, height: count, time: timeSchema });

/** A record by its transaction id or by its position in the phase's log. */
export const recordKeySchema = z
  .union([
    z.int('a record is named by its position').min(0),
    z
      .string('a record is named by its id or its position')
      .regex(/^[0-9a-f]{64}$/, 'a record id is 64 lower-case hexadecimal characters')
      .transform(text => text as TransactionId),
  ])
  .meta({ description: 'a record: its transaction id, or its position in the log of the phase' });

export const cidSchema = z
  .string()
  .regex(/^[A-Za-z0-9]{1,96}$/, 'a CID is up to 96 letters and digits')
  .meta({ description: 'CID of the file' });

/** Where a method writes a file of its own. */
export const newFilePathSchema = z
  .string()
  .min(1)
  .max(4_096)
  .meta({ description: "absolute path on the node's machine; not replaced" });

export const roleNameSchema = z.enum(['reader', 'contributor', 'approver', 'steward']);

export const cardSchema = z
  .strictObject({
    id: memberIdSchema,
    name: textSchema(LIMITS.memberNameBytes),
    signingKey: bytesSchema(SIZES.publicKey, SIZES.publicKey),
    sealingKey: bytesSchema(SIZES.publicKey, SIZES.publicKey),
    peerIds: z.array(peerIdSchema).max(LIMITS.peerIdsPerMember),
  })
  .meta({
    description: "a member's card: id, name, P-256 keys (33 bytes, compressed) and peer ids of its nodes",
  });
