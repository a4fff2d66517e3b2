import { describe, expect, it } from 'vitest';
import type { Effect } from '../../src/core/pbft/effect.ts';
import type { Engine } from '../../src/core/pbft/engine.ts';
import type { Input } from '../../src/core/pbft/input.ts';
import type { MessageContent, SignedMessage } from '../../src/core/pbft/messages.ts';
import { HasteRules } from './checker-haste.ts';
import { TimerRules } from './checker-timers.ts';

const BASE_MS = 200;
const node = { name: 'n0', timeMs: 0, slowness: 1 };
const contents = new Map<SignedMessage, MessageContent>();
const fail = (what: string): never => {
  throw new Error(what);
};

/** Node 0 of four. */
function engineAt(view: number, active: boolean, height: number, rotationBlocks = 0): Engine {
  return {
    ...{ view, active, newView: null, seat: { index: 0 }, head: { header: { height } } },
    reign: { set: { id: 0, validators: [1, 2, 3, 4] }, startHeight: 0 },
    parameters: { viewTimeoutMs: BASE_MS, viewTimeoutMsMax: 4000, rotationBlocks },
  } as unknown as Engine;
}

function signed(signer: number, content: MessageContent): SignedMessage {
  const none = new Uint8Array(0);
  const message = { kind: content.kind, validatorSetId: 0, signer, body: none, signature: none };
  contents.set(message, content);
  return message;
}

const asksFor = (signer: number, view: number) =>
  signed(signer, { kind: 'viewChange', view, head: null as never, prepared: [] });
const complaint = (signer: number, view: number) =>
  signed(signer, { kind: 'complaint', view, height: 0, lasting: false, gone: [] });
const message = (from: SignedMessage): Input => ({
  type: 'message',
  message: { signed: from, content: null as never },
});
const send = (sent: SignedMessage): Effect => ({ type: 'send', to: 'all', message: sent });
const timerAt = (generation: number, delayMs: number): Effect => ({
  type: 'setTimer',
  name: 'view',
  delayMs,
  generation,
});

function persisted(...then: readonly Effect[]): Effect {
  return { type: 'persist', ticket: 1, records: [], then };
}

/** What a node does after it has heard this, while it is in view 4. */
function hearing(heard: readonly SignedMessage[], engine = engineAt(4, true, 0)) {
  const rules = new HasteRules(from => contents.get(from) ?? null, fail);
  rules.given(node, engine, { type: 'start' });
  rules.rests(node, engine);
  for (const each of heard) {
    rules.given(node, engine, message(each));
    rules.rests(node, engine);
  }
  const asks = (view: number) => () => rules.asks(node, engine, persisted(send(asksFor(0, view))));
  return { rules, engine, asks };
}

describe('the checker of steps', () => {
  it('wants f + 1 who complain or have left, or who ask for the same view', () => {
    expect(hearing([]).asks(5)).toThrow('no reason to ask for view 5 in 4: 0 of 4 want that');
    expect(hearing([complaint(1, 4)]).asks(5)).toThrow('1 of 4');
    expect(hearing([complaint(1, 4), complaint(1, 4), complaint(2, 3)]).asks(5)).toThrow('1 of 4');
    expect(hearing([complaint(1, 4), asksFor(2, 5)]).asks(5)).not.toThrow();
    expect(hearing([complaint(1, 4), complaint(2, 4)]).asks(9)).toThrow('0 others do');
    expect(hearing([asksFor(1, 90)]).asks(90)).toThrow('1 others do');
    expect(hearing([asksFor(1, 90), asksFor(2, 95)]).asks(90)).not.toThrow();
    const { rules, engine, asks } = hearing([complaint(1, 4)]);
    rules.asks(node, engine, send(complaint(0, 4)));
    expect(asks(5)).not.toThrow();
  });

  it('lets a view end after its blocks, and a wait for which a quorum asked', () => {
    expect(hearing([], engineAt(4, true, 7, 8)).asks(5)).toThrow('no reason');
    expect(hearing([], engineAt(4, true, 8, 8)).asks(5)).not.toThrow();
    expect(hearing([], engineAt(4, false, 8, 8)).asks(5)).toThrow('no reason');
    const waiting = (heard: SignedMessage[], timeMs: number) => () => {
      const { rules, engine, asks } = hearing(heard, engineAt(4, false, 0));
      rules.asks(node, engine, timerAt(1, BASE_MS));
      rules.given({ ...node, timeMs }, engine, { type: 'timer', name: 'view', generation: 1 });
      asks(5)();
    };
    expect(waiting([asksFor(1, 4), asksFor(2, 4)], BASE_MS)).not.toThrow();
    expect(waiting([asksFor(1, 4), asksFor(2, 4)], BASE_MS - 1)).toThrow('1 ms too early');
    expect(waiting([asksFor(1, 4)], BASE_MS)).toThrow('1 others waited with it');
    expect(hearing([asksFor(1, 4), asksFor(2, 4)]).asks(5)).toThrow('not for long enough');
  });

  it('wants a wait that doubles with each view, up to the cap, and is the first again after progress', () => {
    const rules = new TimerRules(fail);
    const waits =
      (view: number, active: boolean, height: number, delayMs: number, blocks = 0) =>
      () =>
        rules.waits('n0', engineAt(view, active, height, blocks), delayMs);
    rules.begins('n0', engineAt(0, true, 0));
    expect(waits(0, true, 0, BASE_MS)).not.toThrow();
    expect(waits(1, false, 0, BASE_MS)).toThrow('after 1 to 1 fruitless views, due are 400 to 400');
    expect(waits(1, false, 0, 2 * BASE_MS)).not.toThrow();
    expect(waits(3, false, 0, 8 * BASE_MS)).not.toThrow();
    expect(waits(3, false, 0, 2 * BASE_MS)).toThrow('due are 800 to 1600');
    expect(waits(3, false, 2, BASE_MS)).toThrow('due are');
    expect(waits(3, true, 2, 8 * BASE_MS)).not.toThrow();
    expect(waits(3, true, 3, 8 * BASE_MS)).toThrow('after 0 to 0 fruitless views, due are 200 to 200');
    expect(waits(40, false, 3, 8000)).toThrow('to 4000');
    rules.begins('n0', engineAt(40, false, 3));
    expect(waits(41, false, 3, BASE_MS, 8)).not.toThrow();
  });
});
