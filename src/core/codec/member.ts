import type { Hash, MemberId } from '../base/ids.ts';
import { LIMITS, SIZES } from '../types/limits.ts';
import type {
  MemberCard,
  MemberRegister,
  MemberRevoke,
  MemberRotate,
  MemberSuspend,
  MemberUserAdd,
  MemberUserRevoke,
} from '../types/member.ts';
import { contentCodec, readCard, readMemberId, writeCard } from './content.ts';
import { tagBytes } from './tags.ts';
import { Writer } from './writer.ts';

/** The bytes that a card's signing key signs as proof of possession. */
export function memberCardBytes(chainId: Hash, card: MemberCard): Uint8Array {
  const writer = new Writer().raw(tagBytes('memberCard')).hash(chainId);
  writeCard(writer, card);
  return writer.finish();
}

/** The bytes that a user's key signs before it may sign for the member. */
export function memberUserBytes(chainId: Hash, member: MemberId, signingKey: Uint8Array): Uint8Array {
  const writer = new Writer().raw(tagBytes('memberUser')).hash(chainId).text(member);
  return writer.fixed(signingKey, SIZES.publicKey).finish();
}

/**
 * What the chain calls a user: who knows name and salt can show whose key it is, and nobody can guess it.
 * @param salt 32 random bytes
 */
export function userIdBytes(member: MemberId, name: string, salt: Uint8Array): Uint8Array {
  return new Writer().raw(tagBytes('userName')).text(member).fixed(salt, SIZES.salt).text(name).finish();
}

export const { encode: encodeMemberRegister, decode: decodeMemberRegister } = contentCodec<MemberRegister>(
  'member register',
  (writer, content) => {
    writeCard(writer, content.card);
    writer.fixed(content.proof, SIZES.signature);
  },
  reader => ({ card: readCard(reader), proof: reader.fixed(SIZES.signature) }),
);

export const { encode: encodeMemberRotate, decode: decodeMemberRotate } = contentCodec<MemberRotate>(
  'member rotate',
  (writer, content) => {
    writer.u64(content.expectedVersion);
    writeCard(writer, content.card);
    writer.fixed(content.proof, SIZES.signature);
  },
  reader => ({
    expectedVersion: reader.u64(),
    card: readCard(reader),
    proof: reader.fixed(SIZES.signature),
  }),
);

export const { encode: encodeMemberRevoke, decode: decodeMemberRevoke } = contentCodec<MemberRevoke>(
  'member revoke',
  (writer, content) => {
    writer.text(content.member).text(content.reason);
  },
  reader => ({ member: readMemberId(reader), reason: reader.text(LIMITS.labelBytes) }),
);

export const { encode: encodeMemberUserAdd, decode: decodeMemberUserAdd } = contentCodec<MemberUserAdd>(
  'member user add',
  (writer, content) => {
    writer.hash(content.user).fixed(content.signingKey, SIZES.publicKey);
    writer.fixed(content.proof, SIZES.signature);
  },
  reader => ({
    user: reader.hash(),
    signingKey: reader.fixed(SIZES.publicKey),
    proof: reader.fixed(SIZES.signature),
  }),
);

export const { encode: encodeMemberUserRevoke, decode: decodeMemberUserRevoke } =
  contentCodec<MemberUserRevoke>(
    'member user revoke',
    (writer, content) => {
      writer.hash(content.user);
    },
    reader => ({ user: reader.hash() }),
  );

export const { encode: encodeMemberSuspend, decode: decodeMemberSuspend } = contentCodec<MemberSuspend>(
  'member suspend',
  (writer, content) => {
    writer.text(content.member).text(content.reason);
  },
  reader => ({ member: readMemberId(reader), reason: reader.text(LIMITS.labelBytes) }),
);
