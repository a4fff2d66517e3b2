import type { MemberId, UserId } from '../base/ids.ts';

/** A member's public identity, as it asks to be registered. */
export interface MemberCard {
  readonly id: MemberId;
  /** What people read; UTF-8. */
  readonly name: string;
  readonly signingKey: Uint8Array;
  readonly sealingKey: Uint8Array;
  /** libp2p peer ids of the member's nodes. */
  readonly peerIds: readonly string[];
}

export interface MemberRegister {
  readonly card: MemberCard;
  /** Signature of the card's signing key over `tag(memberCard) ‖ chain id ‖ card`: proof of possession. */
  readonly proof: Uint8Array;
}
export interface MemberRotate {
  readonly expectedVersion: number;
  readonly card: MemberCard;
  readonly proof: Uint8Array;
}
export interface MemberRevoke {
  readonly member: MemberId;
  readonly reason: string;
}
/** Another hand that signs for the sender: of somebody whom only the member's own nodes can name. */
export interface MemberUserAdd {
  readonly user: UserId;
  readonly signingKey: Uint8Array;
  /** Signature of that key over `tag(memberUser) ‖ chain id ‖ member ‖ key`: proof of possession. */
  readonly proof: Uint8Array;
}
export interface MemberUserRevoke {
  readonly user: UserId;
}
export interface MemberSuspend {
  readonly member: MemberId;
  readonly reason: string;
}
