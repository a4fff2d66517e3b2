import { z } from 'zod';
import { parseLinkAddress } from '../../../core/base/link-address.ts';
import { PARAMETER_NUMBERS } from '../../../core/types/governance.ts';
import { LIMITS, SIZES } from '../../../core/types/limits.ts';
import type { Parameters } from '../../../core/types/state.ts';
import { bytesSchema, cardSchema, count, memberIdSchema, peerIdSchema, textSchema } from '../../schemas.ts';

const name = memberIdSchema.meta({ description: 'name of the validator' });
const publicKey = bytesSchema(SIZES.publicKey, SIZES.publicKey);
const proof = bytesSchema(SIZES.signature, SIZES.signature).meta({
  description:
    'signature of the new key: as validator_card and validator_newKey give it, or for a member as identity_card does',
});

const address = z
  .string()
  .max(LIMITS.addressBytes)
  .refine(
    text => parseLinkAddress(text) !== null,
    'an address looks like /ip4/10.0.0.1/tcp/7801 or /dns4/HOST/tcp/7801',
  );

const reason = textSchema(LIMITS.labelBytes, 0).default('').meta({ description: 'why, for everybody' });

const parameterNames = Object.keys(PARAMETER_NUMBERS) as [keyof Parameters, ...(keyof Parameters)[]];

/** What a proposal may do, as callers give it. */
export const actionSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('validatorAdd'),
    validator: z.strictObject({ name, publicKey, peerId: peerIdSchema }),
    addresses: z.array(address).min(1).max(LIMITS.addressesPerValidator),
    proof,
  }),
  z.strictObject({ type: z.literal('validatorRemove'), name }),
  z.strictObject({ type: z.literal('validatorRekey'), name, publicKey, proof }),
  z.strictObject({
    type: z.literal('parameters'),
    values: z
      .partialRecord(z.enum(parameterNames), count)
      .refine(values => Object.keys(values).length > 0, 'names no parameter'),
  }),
  z.strictObject({
    type: z.literal('administrators'),
    members: z.array(memberIdSchema).min(1).max(LIMITS.administratorsMax),
    threshold: z.int().min(1).max(LIMITS.administratorsMax),
  }),
  z.strictObject({ type: z.literal('memberSuspend'), member: memberIdSchema, reason }),
  z.strictObject({ type: z.literal('memberResume'), member: memberIdSchema }),
  z.strictObject({ type: z.literal('memberRevoke'), member: memberIdSchema, reason }),
  z.strictObject({ type: z.literal('memberRekey'), card: cardSchema, proof }),
  z.strictObject({ type: z.literal('protocolVersion'), version: z.int().min(1).max(0xffff), height: count }),
]);

export const proposalNumber = z.int().min(1).meta({ description: 'number of the proposal' });
