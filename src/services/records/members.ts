import type { MemberId, UserId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import {
  encodeMemberRegister,
  encodeMemberRevoke,
  encodeMemberRotate,
  encodeMemberSuspend,
  encodeMemberUserAdd,
  encodeMemberUserRevoke,
  memberCardBytes,
} from '../../core/codec/member.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import { findMember } from '../../core/ledger/read.ts';
import type { MemberCard, MemberUserAdd } from '../../core/types/member.ts';
import type { KindName } from '../../core/types/operation.ts';
import type { Signer } from '../../ports/signer.ts';
import type { Context } from './context.ts';
import { type Refusal, unknownMember } from './refusal.ts';
import type { Committed } from './sender.ts';

/** Proof that whoever asks holds the card's signing key: its signature over tag, chain id and card. */
export function proveCard(context: Pick<Context, 'access'>, card: MemberCard, signer: Signer): Uint8Array {
  return signer.sign(memberCardBytes(context.access.chainId, card));
}

export function sendToSystem(
  context: Context,
  kind: KindName,
  content: Uint8Array,
  what: string,
): Promise<Committed | Refusal> {
  const { access, suite, sender } = context;
  const system = logIdOf(suite.sha256, access.chainId, 'system', access.chainId);
  return sender.send({ kind, scopes: [system], parts: [{ scope: 0, content }], what });
}

/** By an administrator. @param proof of `proveCard`, made by the newcomer */
export function registerMember(
  context: Context,
  card: MemberCard,
  proof: Uint8Array,
): Promise<Committed | Refusal> {
  return sendToSystem(
    context,
    'memberRegister',
    encodeMemberRegister({ card, proof }),
    `register ${card.id}`,
  );
}

/** By an administrator; freezes every phase that the member is in until its next key epoch. */
export function revokeMember(
  context: Context,
  member: MemberId,
  reason: string,
): Promise<Committed | Refusal> {
  return sendToSystem(context, 'memberRevoke', encodeMemberRevoke({ member, reason }), `revoke ${member}`);
}

/** From the next block on the user's key signs for this member, in projects and phases. */
export function addUser(context: Context, user: MemberUserAdd): Promise<Committed | Refusal> {
  return sendToSystem(context, 'memberUserAdd', encodeMemberUserAdd(user), 'add a user');
}

/** What the user signed so far stays valid. */
export function revokeUser(context: Context, user: UserId): Promise<Committed | Refusal> {
  return sendToSystem(context, 'memberUserRevoke', encodeMemberUserRevoke({ user }), 'revoke a user');
}

/** By an administrator, of a member that is none: it may nothing until a ballot resumes it. */
export function suspendMember(
  context: Context,
  member: MemberId,
  reason: string,
): Promise<Committed | Refusal> {
  return sendToSystem(context, 'memberSuspend', encodeMemberSuspend({ member, reason }), `suspend ${member}`);
}

/**
 * Replaces this member's own keys and peer ids. Signed with the current key; from the next transaction on the new one signs.
 * The caller adds the new unsealer to the vault and keeps the old sealing key: older envelopes need it.
 * @param newSigner holds `card.signingKey`
 */
export async function rotateMember(
  context: Context,
  card: MemberCard,
  newSigner: Signer,
): Promise<Committed | Refusal> {
  const member = findMember(context.access.system(), context.member);
  if (member === null) return unknownMember(context.member);
  const content = { card, proof: proveCard(context, card, newSigner), expectedVersion: member.version };
  const what = `rotate the keys of ${context.member}`;
  const sent = await sendToSystem(context, 'memberRotate', encodeMemberRotate(content), what);
  if (!isReject(sent)) context.sender.useSigner(newSigner);
  return sent;
}
