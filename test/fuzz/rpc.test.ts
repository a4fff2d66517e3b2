import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { managerMethods } from '../../src/manager/methods.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { noMetrics } from '../../src/ports/metrics.ts';
import { Dispatcher } from '../../src/rpc/dispatcher.ts';
import { ERRORS } from '../../src/rpc/errors.ts';
import { consensusNodeMethods, participantMethods } from '../../src/rpc/groups.ts';
import { RPC_LIMITS } from '../../src/rpc/limits.ts';
import type { Caller, RpcMethod } from '../../src/rpc/method.ts';
import { createTestManager } from '../unit/manager/support.ts';
import { hashOf, MemoryConsensusNode, MemoryParticipant } from '../unit/rpc/support.ts';
import { announce, FUZZ_TIMEOUT, fuzz } from './kit.ts';

announce('rpc.test');

const consensus = new MemoryConsensusNode();
consensus.book.append();
const participant = new MemoryParticipant();
participant.addPhase(hashOf(0xa1) as never, 'intake');
/** Files of the machine that runs this test are not for a generator to write. */
const touchesFiles = (method: RpcMethod) => 'path' in method.params.shape;
const methods = [
  ...consensusNodeMethods(consensus),
  ...participantMethods(participant, participant),
  ...managerMethods(createTestManager().api, null),
].filter(method => !touchesFiles(method));

const fatal: Error[] = [];
const reached = new Set<string>();
const dispatcher = new Dispatcher({
  methods,
  limits: RPC_LIMITS,
  logger: silentLogger,
  metrics: noMetrics,
  monotonicMs: () => 0,
  checkSigned: () => ({ caller: { kind: 'anonymous' }, params: {} }),
  onFatal: error => fatal.push(error),
});

function handle(text: string | Uint8Array, caller: Caller): Promise<string | null> {
  const signal = new AbortController().signal;
  return dispatcher.handle(text, { caller, signal, connection: null, takeCall: () => true });
}

const CODES = new Set(Object.values(ERRORS).map(({ code }) => code as number));

/** One response object of the specification, section 5. */
function checkResponse(response: unknown): void {
  expect(response).toMatchObject({ jsonrpc: '2.0' });
  const { id, error, ...rest } = response as Record<string, unknown>;
  expect(id === null || typeof id === 'string' || typeof id === 'number').toBe(true);
  expect(Object.keys(rest).sort()).toEqual(error === undefined ? ['jsonrpc', 'result'] : ['jsonrpc']);
  if (error === undefined) {
    reached.add('result');
    return;
  }
  const { code, message } = error as { code: number; message: string };
  expect([CODES.has(code), typeof message]).toEqual([true, 'string']);
  reached.add(message);
  expect(code, 'no input is an internal error').not.toBe(ERRORS.internal_error.code);
}

function checkAnswer(answer: string | null): void {
  if (answer === null) return;
  const parsed: unknown = JSON.parse(answer);
  if (Array.isArray(parsed)) {
    expect(parsed.length).toBeGreaterThan(0);
    for (const response of parsed) checkResponse(response);
  } else checkResponse(parsed);
}

const odd = fc.oneof(
  fc.json().map(text => JSON.parse(text) as unknown),
  fc.constantFrom<unknown>(
    -1,
    0.5,
    2 ** 53,
    1e308,
    null,
    true,
    '',
    'intake',
    'alice',
    'permits',
    '../x',
    '\ud800',
  ),
  fc.constantFrom<unknown>(hashOf(0xa1), hashOf(1), 'A'.repeat(5000), { toString: 1 }, { signed: {} }, [
    [[[]]],
  ]),
  fc.constantFrom<unknown>(1, 2, 100, 'reader', ['reader'], 'YWJj', 'x'.repeat(32), { hasOwnProperty: 1 }),
);
const params = (method: RpcMethod) => {
  const names = Object.keys(method.params.shape);
  const named = fc.dictionary(fc.constantFrom(...names, 'extra', 'constructor', '__proto__'), odd, {
    maxKeys: 5,
  });
  return fc.oneof({ weight: 3, arbitrary: named }, fc.array(odd, { maxLength: 4 }), odd);
};
const request: fc.Arbitrary<unknown> = fc.constantFrom(...methods).chain(method =>
  fc.record(
    {
      jsonrpc: fc.constantFrom('2.0', '2.0', '2.0', '2.0', '1.0', 2, null),
      id: fc.oneof(fc.nat(), fc.string(), odd),
      method: fc.oneof({ weight: 8, arbitrary: fc.constant<unknown>(method.name) }, odd),
      params: params(method),
    },
    { requiredKeys: ['jsonrpc', 'method'] },
  ),
);
const text = fc.oneof(
  { weight: 6, arbitrary: request.map(each => JSON.stringify(each)) },
  {
    weight: 2,
    arbitrary: fc.array(fc.oneof(request, odd), { maxLength: 6 }).map(all => JSON.stringify(all)),
  },
  fc.json(),
  fc.string({ unit: 'binary' }),
  fc.uint8Array({ maxLength: 100 }),
  fc.nat(20_000).map(depth => '['.repeat(depth)),
);
const caller = fc.constantFrom<Caller>({ kind: 'anonymous' }, { kind: 'session' }, { kind: 'session' });

describe('the JSON-RPC dispatcher', () => {
  it('[90] answers any text with a valid response, a coded error or nothing, and never an internal error', {
    ...FUZZ_TIMEOUT,
  }, async () => {
    await fuzz(
      600,
      fc.asyncProperty(text, caller, async (source, who) => checkAnswer(await handle(source, who))),
    );
    expect(fatal).toEqual([]);
    // the generator reaches what it is meant to reach
    expect(reached.size).toBeGreaterThan(8);
    expect([...reached]).toContain('result');
  });

  it('[90] answers every call of a batch that is no notification, once', { ...FUZZ_TIMEOUT }, async () => {
    const calls = fc.array(fc.tuple(request, fc.boolean()), { minLength: 1, maxLength: 20 });
    await fuzz(
      100,
      fc.asyncProperty(calls, async drawn => {
        const batch = drawn.map(([each, notified], id) => {
          const { id: _, ...rest } = each as Record<string, unknown>;
          return { ...rest, jsonrpc: '2.0', method: 'node_status', params: {}, ...(notified ? {} : { id }) };
        });
        const answer = await handle(JSON.stringify(batch), { kind: 'anonymous' });
        const ids = answer === null ? [] : (JSON.parse(answer) as { id: number }[]).map(({ id }) => id);
        expect(ids).toEqual(drawn.flatMap(([, notified], id) => (notified ? [] : [id])));
      }),
    );
  });
});
