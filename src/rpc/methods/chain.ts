import type { ConsensusNodeApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import { chainBlock } from './chain/block.ts';
import { chainEvidence } from './chain/evidence.ts';
import { chainGenesis } from './chain/genesis.ts';
import { chainHead } from './chain/head.ts';
import { chainStatus } from './chain/status.ts';
import { chainValidators } from './chain/validators.ts';

export const chainMethods = (api: ConsensusNodeApi): readonly RpcMethod[] =>
  [chainStatus, chainHead, chainBlock, chainValidators, chainGenesis, chainEvidence].map(method =>
    method(api),
  );
