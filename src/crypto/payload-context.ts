import { tagBytes } from '../core/codec/tags.ts';
import { Writer } from '../core/codec/writer.ts';
import type { PayloadContext } from '../ports/phase-crypto.ts';

/** Associated data of a sealed payload: it opens as this record's only (SCENARIOS 84). */
export function payloadContextBytes(context: PayloadContext): Uint8Array {
  const writer = new Writer().raw(tagBytes('recordPayload')).hash(context.logId).u32(context.epoch);
  return writer.hash(context.keyCommitment).finish();
}
