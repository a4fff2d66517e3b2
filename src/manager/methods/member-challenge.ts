import { z } from 'zod';
import { memberCardBytes } from '../../core/codec/operation.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { base64, bytesText, cardSchema, hashText, time, timeSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import type { Challenges } from '../challenges.ts';
import { checkCard } from '../identity.ts';
import { requireAdministrator } from '../rights.ts';

export const memberChallenge = ({ data }: ManagerApi, challenges: Challenges): RpcMethod =>
  defineMethod({
    name: 'manager_memberChallenge',
    summary:
      'A nonce that the new member signs with its signing key; good for one registration of this card.',
    access: 'member',
    params: z.strictObject({ card: cardSchema }),
    result: z.object({ nonce: bytesText, chainId: hashText, expires: timeSchema }),
    errors: ['forbidden', 'conflict'],
    handle: ({ card }, { caller }) => {
      requireAdministrator(data, caller);
      const wrong = checkCard(data, card);
      if (wrong !== null) throw wrong;
      const { nonce, expiresMs } = challenges.issue(memberCardBytes(data.chainId, card));
      return { nonce: base64(nonce), chainId: data.chainId, expires: time(expiresMs) };
    },
  });
