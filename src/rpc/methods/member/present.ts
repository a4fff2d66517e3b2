import { z } from 'zod';
import type { MemberId } from '../../../core/base/ids.ts';
import type { Member } from '../../../core/types/state.ts';
import { base64, bytesText, count, hashText } from '../../schemas.ts';

export const memberSchema = z.object({
  id: z.string(),
  name: z.string(),
  version: count,
  revoked: z.boolean(),
  suspendedHeight: count
    .nullable()
    .meta({ description: 'since when it may nothing; null while it is not suspended' }),
  administrator: z.boolean(),
  peerIds: z.array(z.string()),
  keys: z.array(
    z.object({
      keyId: count,
      signingKey: bytesText,
      sealingKey: bytesText.nullable().meta({ description: 'null of a key of a user' }),
      user: hashText.nullable().meta({ description: 'who signs with it; null for the member itself' }),
      replaced: z.boolean().meta({ description: 'true when administrators gave it for keys that were lost' }),
      fromHeight: count,
      untilHeight: count.nullable(),
    }),
  ),
});

export function presentMember(member: Member, administrators: readonly MemberId[]) {
  return {
    id: member.id,
    name: member.name,
    version: member.version,
    revoked: member.revoked,
    suspendedHeight: member.suspendedHeight === 0 ? null : member.suspendedHeight,
    administrator: administrators.includes(member.id),
    peerIds: [...member.peerIds],
    keys: member.keys.map((key, keyId) => ({
      keyId,
      signingKey: base64(key.signingKey),
      sealingKey: key.sealingKey === null ? null : base64(key.sealingKey),
      user: key.user,
      replaced: key.user === null && key.replaced,
      fromHeight: key.fromHeight,
      untilHeight: key.untilHeight === 0 ? null : key.untilHeight,
    })),
  };
}
