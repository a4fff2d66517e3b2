import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineMethod } from '../../../src/rpc/method.ts';
import { post, startServer, stopServers } from './support.ts';

afterEach(stopServers);

/** Methods whose calls all wait, and how many do. */
function waitingMethods() {
  const waiting: (() => void)[] = [];
  const methods = [true, false].map(isBrief =>
    defineMethod({
      name: isBrief ? 'brief' : 'long',
      summary: 'waits',
      access: 'public',
      params: z.strictObject({}),
      result: z.number(),
      errors: [],
      isBrief,
      handle: () => new Promise<number>(resolve => waiting.push(() => resolve(1))),
    }),
  );
  return { waiting, methods };
}

const batchOf = (names: readonly string[]) =>
  JSON.stringify(names.map((method, id) => ({ jsonrpc: '2.0', id, method })));
const times = (count: number, name: string) => Array.from({ length: count }, () => name);

async function untilWaiting(waiting: readonly unknown[], count: number) {
  while (waiting.length < count) await new Promise(resolve => setImmediate(resolve));
}

describe('the calls of a batch', () => {
  it('run all at the same time when every one is brief, else a few', async () => {
    for (const [names, together] of [
      [times(40, 'brief'), 40],
      [times(40, 'long'), 16],
      [[...times(39, 'brief'), 'long'], 16],
    ] as const) {
      const { waiting, methods } = waitingMethods();
      const { url } = await startServer(methods);
      const answer = post(url, batchOf(names));
      await untilWaiting(waiting, together);
      // what would start without being waited for has started by then
      await post(url, batchOf(['unknown']));
      expect(waiting).toHaveLength(together);
      for (let done = 0; done < names.length; done += 1) {
        await untilWaiting(waiting, done + 1);
        waiting[done]?.();
      }
      expect((await answer).json).toHaveLength(40);
    }
  });

  it('leave room for other batches, brief or not', async () => {
    const { waiting, methods } = waitingMethods();
    const { url } = await startServer(methods, { limits: { briefCallsInFlightMax: 50 } });
    const answers = [post(url, batchOf(times(40, 'brief')))];
    await untilWaiting(waiting, 40);
    answers.push(post(url, batchOf(times(40, 'brief'))));
    await untilWaiting(waiting, 56);
    await post(url, batchOf(['unknown']));
    expect(waiting).toHaveLength(56);
    for (let done = 0; done < 80; done += 1) {
      await untilWaiting(waiting, done + 1);
      waiting[done]?.();
    }
    for (const answer of await Promise.all(answers)) expect(answer.json).toHaveLength(40);
  });
});
