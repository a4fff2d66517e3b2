import { z } from 'zod';
import type { IdentityApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { base64, bytesText } from '../../schemas.ts';

export const identityCard = (api: IdentityApi): RpcMethod =>
  defineMethod({
    name: 'identity_card',
    summary: "This node's member card and the proof that it holds the card's signing key.",
    access: 'session',
    params: z.strictObject({}),
    result: z.object({
      card: z.object({
        id: z.string(),
        name: z.string(),
        signingKey: bytesText,
        sealingKey: bytesText,
        peerIds: z.array(z.string()),
      }),
      proof: bytesText,
    }),
    errors: [],
    handle: () => {
      const { card, proof } = api.card();
      const { id, name, signingKey, sealingKey, peerIds } = card;
      const keys = { signingKey: base64(signingKey), sealingKey: base64(sealingKey) };
      return { card: { id, name, ...keys, peerIds: [...peerIds] }, proof: base64(proof) };
    },
  });
