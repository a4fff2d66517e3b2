import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { headerHash } from '../../../src/core/codec/chain.ts';
import { Executions, type ExecutionsConfig } from '../../../src/services/consensus/executions.ts';
import { Consortium, suite } from '../pbft/kit.ts';

const consortium = new Consortium(4);
const block = consortium.block(consortium.genesis, 'late');
const ROUNDS = 50;

it('a block whose bodies are asked for again and again leaves nothing behind for each time', async () => {
  const listeners: number[] = [];
  let release = () => {};
  const given = new Promise<void>(resolve => {
    release = resolve;
  });
  const config = {
    chain: {
      headHeight: () => 0,
      parameters: () => ({ clockDriftMsMax: 1000 }),
      connectedValidators: () => [],
    },
    pool: {
      collect: async (_entries: unknown, _sources: unknown, signal: AbortSignal) => {
        listeners.push(getEventListeners(signal, 'abort').length);
        if (listeners.length === ROUNDS) release();
        return [null];
      },
    },
    executor: { inFlightTo: () => [] },
    clock: {
      nowMs: () => 0,
      setTimer: (_delayMs: number, fire: () => void) => {
        const timer = setImmediate(fire);
        return { cancel: () => clearImmediate(timer) };
      },
    },
    bodiesRetryMs: 1,
    executed: () => {},
    fail: () => {},
  } as unknown as ExecutionsConfig;
  const executions = new Executions(config);
  const blockHash = headerHash(suite.sha256, block.header);
  const effect = { type: 'execute', executionId: 1, block, blockHash } as const;
  executions.start({ ...effect, proposerPeerId: 'peer-0', checkClock: false });
  await given;
  executions.stop();
  expect(Math.max(...listeners)).toBe(0);
});
