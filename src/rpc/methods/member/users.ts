import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import { SIZES } from '../../../core/types/limits.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { CHANGE_ERRORS, presentReceipt } from '../../receipt.ts';
import { bytesSchema, count, hashText, receiptSchema, textSchema } from '../../schemas.ts';
import type { UsersApi } from '../../users-api.ts';

const USER_NAME_BYTES = 128;
const PASSPHRASE_CHARACTERS_MAX = 1_024;

const userName = textSchema(USER_NAME_BYTES).meta({ description: 'name of a user of this member' });
const passphrase = z
  .string()
  .min(1)
  .max(PASSPHRASE_CHARACTERS_MAX)
  .meta({ description: "the user's own: it opens the private key that this node keeps" });

/** For calls that a user signs. */
export const asUserSchema = z.strictObject({ name: userName, passphrase }).nullable().default(null).meta({
  description: "the user who signs, with a key that this node keeps; null for the member's own key",
});

const key = z.union([
  z.strictObject({ passphrase }),
  z.strictObject({
    signingKey: bytesSchema(SIZES.publicKey, SIZES.publicKey),
    proof: bytesSchema(SIZES.signature, SIZES.signature).meta({
      description: 'signature of the key, as `phaseline member user new-key` prints it',
    }),
  }),
]);

const changedSchema = receiptSchema.extend({ user: hashText });

const userList = (api: UsersApi): RpcMethod =>
  defineMethod({
    name: 'member_userList',
    summary: 'Users of this member with their keys, revoked ones too; names as far as this node knows them.',
    access: 'session',
    params: z.strictObject({}),
    result: z.object({
      users: z.array(
        z.object({
          user: hashText,
          name: z.string().nullable(),
          keyId: count,
          fromHeight: count,
          untilHeight: count.nullable(),
          kept: z.boolean().meta({ description: 'true when this node keeps the private key' }),
        }),
      ),
    }),
    errors: [],
    handle: async () => ({ users: (await api.users()).map(user => ({ ...user })) }),
  });

const userAdd = (api: UsersApi): RpcMethod =>
  defineMethod({
    name: 'member_userAdd',
    summary: 'Adds a user, whose key signs for this member in projects and phases; the name stays here.',
    access: 'session',
    params: z.strictObject({ name: userName, key }),
    result: changedSchema,
    errors: [...CHANGE_ERRORS, 'conflict'],
    handle: async ({ name, key: source }) => {
      const done = await api.addUser(name, source);
      return isReject(done) ? done : { ...presentReceipt(done), user: done.user };
    },
  });

const userRevoke = (api: UsersApi): RpcMethod =>
  defineMethod({
    name: 'member_userRevoke',
    summary: "Ends a user's key: it signs nothing any more, and what it signed stays valid.",
    access: 'session',
    params: z.strictObject({ name: userName }),
    result: changedSchema,
    errors: CHANGE_ERRORS,
    handle: async ({ name }) => {
      const done = await api.revokeUser(name);
      return isReject(done) ? done : { ...presentReceipt(done), user: done.user };
    },
  });

export const userMethods = (api: UsersApi): readonly RpcMethod[] => [
  userList(api),
  userAdd(api),
  userRevoke(api),
];
