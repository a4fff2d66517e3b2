import { z } from 'zod';
import { faultsTolerated, quorumSize } from '../../../core/quorum/quorum.ts';
import { protocolVersionAt } from '../../../core/types/governance.ts';
import type { GovernanceReadApi } from '../../governance-api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count } from '../../schemas.ts';
import { presentValidator, validatorSchema } from '../chain/present.ts';

export const validatorList = (api: GovernanceReadApi): RpcMethod =>
  defineMethod({
    name: 'validator_list',
    summary: 'The validator set that decides the next height, as this node sees it.',
    access: 'session',
    params: z.strictObject({}),
    result: z.object({
      setId: count,
      sinceHeight: count,
      quorum: count,
      faultsTolerated: count,
      protocolVersion: count,
      validators: z.array(
        validatorSchema.extend({
          addresses: z.array(z.string()).meta({ description: 'on chain; empty for validators of genesis' }),
          connected: z.boolean().meta({ description: 'to this node' }),
          signedHead: z.boolean().meta({ description: 'its vote is in the certificate of the newest block' }),
          evidence: count.meta({ description: 'recorded pieces of evidence against it' }),
        }),
      ),
    }),
    errors: [],
    handle: () => {
      const { validatorSet, setChangeHeight, governance } = api.system();
      const [reached, signed] = [api.reachedPeers(), api.signedHead()];
      const size = validatorSet.validators.length;
      return {
        setId: validatorSet.id,
        sinceHeight: setChangeHeight,
        quorum: quorumSize(size),
        faultsTolerated: faultsTolerated(size),
        protocolVersion: protocolVersionAt(governance, api.headHeight() + 1),
        validators: validatorSet.validators.map(validator => ({
          ...presentValidator(validator),
          addresses: [
            ...(governance.addresses.find(({ peerId }) => peerId === validator.peerId)?.addresses ?? []),
          ],
          connected: reached.includes(validator.peerId),
          signedHead: signed.includes(validator.name),
          evidence: governance.evidence.filter(entry => entry.validator === validator.name).length,
        })),
      };
    },
  });
