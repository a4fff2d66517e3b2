import { KEEP_BLOCKS_DEFAULT } from '../config/node-config.ts';
import { assertDefined } from '../core/base/assert.ts';
import { consensusGovernanceMethods, consensusNodeMethods } from '../rpc/groups.ts';
import { CONSENSUS_METRICS, createMetrics, NODE_METRICS } from '../rpc/metrics.ts';
import { systemClock } from '../system/clock.ts';
import { createConsensusApi } from './consensus-api.ts';
import { KeystoreConsensusKeys } from './consensus-keys.ts';
import { createConsensusNode } from './consensus-node.ts';
import { type NodeRole, type RoleInput, sequence } from './node-role.ts';
import { createRpcServer, failureSignal, VERSION } from './rpc.ts';
import { createValidatorApi } from './validator-api.ts';

/** A consensus node with its RPC. */
export async function createConsensusRole(input: RoleInput): Promise<NodeRole> {
  const { paths, config, genesis, keys, logger } = input;
  const { failed, fail } = failureSignal();
  const metrics = createMetrics({ node: config.name }, { ...NODE_METRICS, ...CONSENSUS_METRICS });
  const node = await createConsensusNode({
    name: config.name,
    genesis,
    keys: new KeystoreConsensusKeys(paths, keys),
    transportSeed: assertDefined(keys.transport, 'a node has a transport key'),
    validators: config.network.peers,
    listen: config.network.listen,
    statePath: paths.state,
    walPath: paths.wal,
    firstStartPath: paths.firstStart,
    logger,
    clock: systemClock,
    onFatal: fail,
    metrics,
    ...(config.history === 'pruned' ? { keepBlocks: config.keepBlocks ?? KEEP_BLOCKS_DEFAULT } : {}),
  });
  metrics.onCollect(target => {
    target.gauge('phaseline_view', node.consensus.status().view);
    target.gauge('phaseline_validator_set', node.chain.validatorSet().id);
    target.gauge('phaseline_evidence_recorded', node.chain.system().governance.evidence.length);
    target.gauge('phaseline_pool_transactions', node.pool.size);
    target.gauge('phaseline_pool_bytes', node.pool.bytes);
  });
  const api = createConsensusApi(node, VERSION);
  const rpc = await createRpcServer(input, {
    methods: [...consensusNodeMethods(api), ...consensusGovernanceMethods(createValidatorApi(node))],
    node: api,
    files: null,
    checkSigned: null,
    onFatal: fail,
    metrics,
  });
  return { service: sequence([node, rpc]), url: () => rpc.address().url, failed };
}
