import type { UserId } from '../core/base/ids.ts';
import type { Reject } from '../core/base/reject.ts';
import type { Receipt } from './api.ts';

/** A person who signs for the member of this node, by a key of its own. */
export interface UserView {
  readonly user: UserId;
  /** Null where only another node of the member knows it. */
  readonly name: string | null;
  readonly keyId: number;
  readonly fromHeight: number;
  /** First height without the key; null while it holds. */
  readonly untilHeight: number | null;
  /** True where this node keeps the private key, under the user's passphrase. */
  readonly kept: boolean;
}

/** Where the private key of a new user is: made and kept here, or with the user, who shows that it has it. */
export type UserKeySource =
  | { readonly passphrase: string }
  | { readonly signingKey: Uint8Array; readonly proof: Uint8Array };

/** What opens the private key of a user for one call. */
export interface UserCredentials {
  readonly name: string;
  readonly passphrase: string;
}

export interface UsersApi {
  /** All that ever were, in the order of their keys. */
  users(): Promise<readonly UserView[]>;
  addUser(name: string, key: UserKeySource): Promise<(Receipt & { readonly user: UserId }) | Reject>;
  revokeUser(name: string): Promise<(Receipt & { readonly user: UserId }) | Reject>;
}
