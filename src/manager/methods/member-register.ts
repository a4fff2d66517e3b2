import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { CHALLENGE_NONCE_BYTES } from '../../core/codec/request.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { bytesSchema, cardSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import type { Challenges } from '../challenges.ts';
import { checkRegistration } from '../identity.ts';
import { requireAdministrator } from '../rights.ts';
import { committedSchema, presentCommitted, signatureSchema } from '../schemas.ts';

export const memberRegister = (api: ManagerApi, challenges: Challenges): RpcMethod =>
  defineMethod({
    name: 'manager_memberRegister',
    summary: 'Registers a member after checking that whoever asks holds the keys of the card.',
    access: 'member',
    params: z.strictObject({
      card: cardSchema,
      proof: signatureSchema.meta({ description: "the signing key's signature over the card" }),
      nonce: bytesSchema(CHALLENGE_NONCE_BYTES, CHALLENGE_NONCE_BYTES).meta({
        description: 'of the challenge',
      }),
      signature: signatureSchema.meta({ description: "the signing key's signature over nonce and card" }),
    }),
    result: committedSchema,
    errors: ['forbidden', 'conflict', 'refused', 'unavailable', 'expired'],
    handle: async (registration, { caller }) => {
      requireAdministrator(api.data, caller);
      const wrong = checkRegistration(api, challenges, registration);
      if (wrong !== null) throw wrong;
      const sent = await api.operations.registerMember(registration.card, registration.proof);
      return isReject(sent) ? sent : presentCommitted(sent);
    },
  });
