import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineMethod } from '../../../src/rpc/method.ts';
import { call, post, startServer, stopServers } from './support.ts';

const notified: unknown[] = [];
const methods = [
  defineMethod({
    name: 'subtract',
    summary: 'minuend − subtrahend',
    access: 'public',
    params: z.strictObject({ minuend: z.number(), subtrahend: z.number() }),
    result: z.number(),
    errors: [],
    handle: ({ minuend, subtrahend }) => minuend - subtrahend,
  }),
  ...['update', 'notify_hello', 'notify_sum', 'sum'].map(name =>
    defineMethod({
      name,
      summary: 'takes numbers',
      access: 'public',
      params: z.strictObject(
        Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map(key => [key, z.number().optional()])),
      ),
      result: z.number(),
      errors: [],
      handle: params => {
        const numbers = Object.values(params as Record<string, number>);
        notified.push([name, numbers]);
        return numbers.reduce((total, number) => total + number, 0);
      },
    }),
  ),
  defineMethod({
    name: 'get_data',
    summary: 'answers data',
    access: 'public',
    params: z.strictObject({}),
    result: z.tuple([z.string(), z.number()]),
    errors: [],
    handle: () => ['hello', 5] as [string, number],
  }),
];

let url: string;
beforeAll(async () => {
  url = (await startServer(methods)).url;
});
afterAll(stopServers);

/** Error data is ours to add; the specification fixes code and message. */
// biome-ignore lint/suspicious/noExplicitAny: any JSON
function bare(answer: any): any {
  if (Array.isArray(answer)) return answer.map(bare);
  if (answer?.error === undefined) return answer;
  const { code, message } = answer.error;
  return { ...answer, error: { code, message } };
}
const send = async (text: string) => {
  const answer = await post(url, text);
  return answer.text === '' ? { status: answer.status } : bare(answer.json);
};
const wrong = (code: number, message: string, id: unknown = null) => ({
  jsonrpc: '2.0',
  error: { code, message },
  id,
});
const invalid = wrong(-32600, 'Invalid Request');

describe("the specification's examples", () => {
  it('positional parameters', async () => {
    expect(await send('{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}')).toEqual({
      jsonrpc: '2.0',
      result: 19,
      id: 1,
    });
    expect(await send('{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}')).toEqual({
      jsonrpc: '2.0',
      result: -19,
      id: 2,
    });
  });

  it('named parameters, in any order', async () => {
    for (const params of ['{"subtrahend": 23, "minuend": 42}', '{"minuend": 42, "subtrahend": 23}']) {
      expect(await send(`{"jsonrpc": "2.0", "method": "subtract", "params": ${params}, "id": 3}`)).toEqual({
        jsonrpc: '2.0',
        result: 19,
        id: 3,
      });
    }
  });

  it('notifications are run and not answered, known method or not', async () => {
    notified.length = 0;
    expect(await send('{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}')).toEqual({
      status: 204,
    });
    expect(await send('{"jsonrpc": "2.0", "method": "foobar"}')).toEqual({ status: 204 });
    expect(await send('{"jsonrpc": "2.0", "method": "subtract", "params": ["x"]}')).toEqual({ status: 204 });
    expect(notified).toEqual([['update', [1, 2, 3, 4, 5]]]);
  });

  it('unknown method', async () => {
    expect(await send('{"jsonrpc": "2.0", "method": "foobar", "id": "1"}')).toEqual(
      wrong(-32601, 'Method not found', '1'),
    );
  });

  it('invalid JSON', async () => {
    expect(await send('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]')).toEqual(
      wrong(-32700, 'Parse error'),
    );
    expect(await send('')).toEqual(wrong(-32700, 'Parse error'));
  });

  it('invalid request object', async () => {
    expect(await send('{"jsonrpc": "2.0", "method": 1, "params": "bar"}')).toEqual(invalid);
  });

  it('batch, invalid JSON', async () => {
    expect(
      await send(
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", "method"]',
      ),
    ).toEqual(wrong(-32700, 'Parse error'));
  });

  it('empty array, and invalid batches', async () => {
    expect(await send('[]')).toEqual(invalid);
    expect(await send('[1]')).toEqual([invalid]);
    expect(await send('[1,2,3]')).toEqual([invalid, invalid, invalid]);
  });

  it('a batch with everything', async () => {
    const answers = await send(`[
      {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
      {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
      {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
      {"foo": "boo"},
      {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
      {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
    ]`);
    expect(answers).toEqual([
      { jsonrpc: '2.0', result: 7, id: '1' },
      { jsonrpc: '2.0', result: 19, id: '2' },
      invalid,
      wrong(-32601, 'Method not found', '5'),
      { jsonrpc: '2.0', result: ['hello', 5], id: '9' },
    ]);
  });

  it('a batch of notifications only is not answered', async () => {
    expect(
      await send(
        '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]',
      ),
    ).toEqual({ status: 204 });
  });
});

describe('ids', () => {
  const withId = (id: string) => send(`{"jsonrpc":"2.0","method":"get_data","id":${id}}`);

  it('come back as they were given', async () => {
    for (const id of ['""', '"x"', '0', '-1', '1.5', '9007199254740991', 'null']) {
      expect(await withId(id)).toEqual({ jsonrpc: '2.0', result: ['hello', 5], id: JSON.parse(id) });
    }
  });

  it('[97] an id that would be rounded, or is none, is an invalid request', async () => {
    for (const id of [
      '9007199254740993',
      '18446744073709551616',
      '1e400',
      'true',
      '{}',
      '[1]',
      `"${'x'.repeat(257)}"`,
    ]) {
      expect(await withId(id)).toEqual(invalid);
    }
  });
});

describe('parameters', () => {
  it('too many by position, unknown by name, missing: each is named', async () => {
    expect((await call(url, 'subtract', [1, 2, 3])).error).toMatchObject({
      code: -32602,
      data: { parameter: '[2]' },
    });
    expect((await call(url, 'subtract', { minuend: 1, subtrahend: 2, more: 3 })).error).toMatchObject({
      code: -32602,
      data: { parameter: 'more' },
    });
    expect((await call(url, 'subtract', { minuend: 1 })).error).toMatchObject({
      code: -32602,
      data: { parameter: 'subtrahend' },
    });
  });

  it('an error says what it is about in data', async () => {
    const { error } = await call(url, 'nothing');
    expect(error.data).toEqual({
      reason: 'method_not_found',
      hint: 'rpc.discover lists the methods of this node.',
    });
  });
});
