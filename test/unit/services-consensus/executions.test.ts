import { expect, it } from 'vitest';
import { reject } from '../../../src/core/base/reject.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import { Executions, type ExecutionsConfig } from '../../../src/services/consensus/executions.ts';
import { Consortium, suite } from '../pbft/kit.ts';

const consortium = new Consortium(4);
const block = consortium.block(consortium.genesis, 'a');

/** One execution, with a disk that is done when the test says so. */
function execute(result: unknown) {
  const said: string[] = [];
  let below: readonly object[] | null = [];
  let flushed = () => {};
  const executions = new Executions({
    chain: {
      headHeight: () => 0,
      parameters: () => ({ clockDriftMsMax: 1000 }),
      connectedValidators: () => [],
      store: {
        putAhead: () => {
          said.push('stores');
          return new Promise<void>(resolve => {
            flushed = resolve;
          });
        },
      },
    },
    clock: { nowMs: () => 0 },
    pool: { collect: async () => [] },
    executor: {
      inFlightTo: () => below,
      execute: () => {
        said.push('executes');
        return result;
      },
    },
    executed: (_effect: unknown, verdict: unknown) => said.push(verdict === null ? 'accepts' : 'refuses'),
    fail: (error: unknown) => said.push(String(error)),
  } as unknown as ExecutionsConfig);
  const effect = { type: 'execute', executionId: 1, block, checkClock: false, proposerPeerId: '' } as const;
  executions.start({ ...effect, blockHash: headerHash(suite.sha256, block.header) });
  const replaceParent = () => {
    below = null;
  };
  return { said, flush: () => flushed(), replaceParent };
}

/** What follows from what is settled already. */
const turn = () => new Promise(resolve => setImmediate(resolve));

it('executes while the bodies are written, and answers only when they are on disk', async () => {
  for (const [result, answer] of [
    [{ nextSet: null }, 'accepts'],
    [reject('wrong_result', 'mapRoot'), 'refuses'],
  ]) {
    const { said, flush } = execute(result);
    await turn();
    expect(said).toEqual(['stores', 'executes']);
    flush();
    await turn();
    expect(said).toEqual(['stores', 'executes', answer]);
  }
});

it('[50] gives no answer once another block was committed in the place of the one below', async () => {
  for (const result of [{ nextSet: null }, reject('unknown_parent', 'height 1')]) {
    const { said, flush, replaceParent } = execute(result);
    await turn();
    replaceParent();
    flush();
    await turn();
    expect(said).toEqual(['stores', 'executes']);
  }
});
