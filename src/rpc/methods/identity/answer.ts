import { z } from 'zod';
import { CHALLENGE_NONCE_BYTES } from '../../../core/codec/request.ts';
import type { IdentityApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { base64, bytesSchema, bytesText } from '../../schemas.ts';

export const identityAnswer = (api: IdentityApi): RpcMethod =>
  defineMethod({
    name: 'identity_answer',
    summary: "Answers a management server's challenge with the member's signing key.",
    access: 'session',
    params: z.strictObject({ nonce: bytesSchema(CHALLENGE_NONCE_BYTES, CHALLENGE_NONCE_BYTES) }),
    result: z.object({ signature: bytesText }),
    errors: [],
    handle: ({ nonce }) => ({ signature: base64(api.answer(nonce)) }),
  });
