import { expect, it } from 'vitest';
import { headerHash } from '../../../src/core/codec/chain.ts';
import type { Block } from '../../../src/core/types/chain.ts';
import { Executions, type ExecutionsConfig } from '../../../src/services/consensus/executions.ts';
import { Consortium, suite } from '../pbft/kit.ts';

const consortium = new Consortium(4);
const [, ...rest] = consortium.set.validators;
const change = consortium.block(consortium.genesis, 'change', rest);
const twin = consortium.block(consortium.genesis, 'twin');
const hashOf = (block: Block) => headerHash(suite.sha256, block.header);

it.each([
  ['the same block, which changes the set', change],
  ['another block', twin],
])(
  '[11][57] state transfer that commits %s while bodies are fetched leaves nothing to answer',
  async (_, committed) => {
    let head = 0;
    const answers: unknown[] = [];
    const failures: unknown[] = [];
    const config = {
      chain: {
        headHeight: () => head,
        parameters: () => ({ clockDriftMsMax: 1000 }),
        connectedValidators: () => [],
        store: { block: () => ({ hash: hashOf(committed) }) },
      },
      pool: {
        collect: async () => {
          head = 1;
          return [];
        },
      },
      executor: { inFlightTo: () => [] },
      clock: { nowMs: () => 0 },
      bodiesRetryMs: 1,
      executed: (...answer: unknown[]) => answers.push(answer),
      fail: (error: unknown) => failures.push(error),
    } as unknown as ExecutionsConfig;
    const executions = new Executions(config);
    const effect = { type: 'execute', executionId: 1, block: change, blockHash: hashOf(change) } as const;
    executions.start({ ...effect, proposerPeerId: 'peer-0', checkClock: false });
    await new Promise(resolve => setImmediate(resolve));
    // the engine would crash over a set that is not named, or halt over a vote that was in vain: `synced` tells it all
    expect(answers).toEqual([]);
    expect(failures).toEqual([]);
  },
);
