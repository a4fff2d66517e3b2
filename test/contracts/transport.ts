import { afterEach, describe, expect, it } from 'vitest';
import { reject } from '../../src/core/base/reject.ts';
import type { ProtocolOptions, Transport } from '../../src/ports/transport.ts';
import { ECHO, errorOf, RecordingPeer } from '../support/recording-peer.ts';

export interface TransportHarness {
  /**
   * An endpoint that is not started. The same name is the same identity, and listens at the same address again.
   * Penalties and back-offs are short: tests wait for their end.
   */
  create(name: string): Promise<Transport>;
}

type Open = (name: string, options?: ProtocolOptions) => Promise<RecordingPeer>;

/** What every transport promises (src/ports/transport.ts). */
export function transportContract(kind: string, makeHarness: () => TransportHarness): void {
  describe(`transport contract: ${kind}`, () => {
    let started: Transport[] = [];
    let harness = makeHarness();
    const prepare: Open = async (name, options = ECHO) => {
      const transport = await harness.create(name);
      started.push(transport);
      return new RecordingPeer(transport, options);
    };
    const open: Open = async (name, options = ECHO) => {
      const peer = await prepare(name, options);
      await peer.transport.start();
      return peer;
    };
    afterEach(async () => {
      await Promise.all(started.map(transport => transport.stop()));
      started = [];
      harness = makeHarness();
    });
    linkTests(open, prepare);
    frameTests(open);
    requestTests(open);
    hostileTests(open);
  });
}

async function pair(open: Open, options: ProtocolOptions = ECHO): Promise<[RecordingPeer, RecordingPeer]> {
  const a = await open('a', options);
  const b = await open('b', options);
  a.keep(b);
  await Promise.all([a.connected(b), b.connected(a)]);
  return [a, b];
}

function linkTests(open: Open, prepare: Open): void {
  it('tells both sides once when both dial at the same time', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const peers = await Promise.all(names.map(name => open(name)));
    for (const peer of peers) for (const other of peers) if (peer !== other) peer.keep(other);
    const others = (peer: RecordingPeer) => peers.filter(other => other !== peer);
    await Promise.all(peers.flatMap(peer => others(peer).map(other => peer.connected(other))));
    for (const peer of peers) for (const other of others(peer)) expect(peer.say(other, 'hello')).toBe(true);
    await Promise.all(peers.map(peer => peer.until(() => peer.frames.length === 3)));
    for (const peer of peers) {
      expect([...peer.events].sort()).toEqual(
        others(peer)
          .map(other => `connected ${other.id}`)
          .sort(),
      );
    }
  });

  it('reconnects after the other side restarts', async () => {
    const [a, b] = await pair(open);
    await b.transport.stop();
    await a.disconnected(b);
    expect(a.say(b, 'nobody there')).toBe(false);
    const again = await open('b');
    expect(again.id).toBe(b.id);
    await Promise.all([a.connected(again), again.connected(a)]);
    expect(a.say(again, 'back')).toBe(true);
    await again.until(() => again.frames.length === 1);
    expect(a.events).toEqual([`connected ${b.id}`, `disconnected ${b.id}`, `connected ${b.id}`]);
  });

  it('keeps dialing a peer that is not there yet', async () => {
    const b = await open('b');
    const addresses = b.transport.addresses();
    await b.transport.stop();
    const a = await open('a');
    a.transport.keepConnected(b.id, addresses);
    const late = await open('b');
    await Promise.all([a.connected(late), late.connected(a)]);
  });

  it('closes the link when the peer is released', async () => {
    const [a, b] = await pair(open);
    a.transport.release(b.id);
    await Promise.all([a.disconnected(b), b.disconnected(a)]);
    expect(a.transport.peers()).toEqual([]);
  });

  it('refuses whom the gate of either side refuses, and asks it again', async () => {
    const a = await open('a');
    const c = await open('c');
    const b = await prepare('b');
    let admitted = false;
    b.transport.setGate(peer => peer !== a.id || admitted);
    await b.transport.start();
    a.keep(b);
    a.keep(c);
    c.keep(b);
    await Promise.all([a.connected(c), c.connected(b)]);
    await c.ask(b, 'a turn for everybody');
    expect(a.isConnected(b)).toBe(false);
    expect(b.isConnected(a)).toBe(false);
    admitted = true;
    b.transport.recheckGate();
    await Promise.all([a.connected(b), b.connected(a)]);
    admitted = false;
    b.transport.recheckGate();
    await Promise.all([a.disconnected(b), b.disconnected(a)]);
    expect(c.isConnected(b)).toBe(true);
  });

  it('says that a peer is not connected, or does not speak the protocol', async () => {
    const other: ProtocolOptions = { ...ECHO, id: '/phaseline/other/1' };
    const [a, b] = [await open('a'), await open('b', other)];
    expect((await errorOf(a.ask(b, 'x'))).code).toBe('disconnected');
    a.keep(b);
    await a.connected(b);
    expect(a.say(b, 'x')).toBe(false);
    expect((await errorOf(a.ask(b, 'x'))).code).toBe('unsupported_protocol');
  });
}

function frameTests(open: Open): void {
  it('delivers frames of each direction in order', async () => {
    const [a, b] = await pair(open);
    const texts = Array.from({ length: 2_000 }, (_, index) => `frame ${index}`);
    for (const text of texts) {
      expect(a.say(b, `a ${text}`)).toBe(true);
      expect(b.say(a, `b ${text}`)).toBe(true);
    }
    await Promise.all([a, b].map(peer => peer.until(() => peer.frames.length === texts.length)));
    expect(a.frames.map(frame => frame.text)).toEqual(texts.map(text => `b ${text}`));
    expect(b.frames.map(frame => frame.text)).toEqual(texts.map(text => `a ${text}`));
    expect(a.frames.every(frame => frame.from === b.id)).toBe(true);
  });

  it('delivers large, small and empty frames whole', async () => {
    const [a, b] = await pair(open);
    const sizes = [1 << 20, 0, 1, 65_537, 1 << 20, 7];
    const frames = sizes.map(size =>
      Uint8Array.from({ length: size }, (_, index) => (index * 31 + size) & 0xff),
    );
    for (const frame of frames) expect(a.transport.send(b.id, ECHO.id, frame)).toBe(true);
    await b.until(() => b.frames.length === frames.length);
    for (const [index, frame] of frames.entries()) {
      expect(Buffer.compare(b.frames[index]!.bytes, frame)).toBe(0);
    }
  });

  it('refuses a frame when the outbox is full, and loses none that it took', async () => {
    const [a, b] = await pair(open, { ...ECHO, outboxBytesMax: 64 << 10 });
    let taken = 0;
    while (taken < 1_000 && a.transport.send(b.id, ECHO.id, new Uint8Array(1_000))) taken += 1;
    expect(taken).toBeGreaterThan(50);
    expect(taken).toBeLessThan(66);
    const refused = await errorOf(a.ask(b, new Uint8Array(1_000)));
    expect(refused.code).toBe('outbox_full');
    await b.until(() => b.frames.length === taken);
    expect(a.say(b, 'room again')).toBe(true);
  });
}

function requestTests(open: Open): void {
  it('answers concurrent requests, each with its own answer', async () => {
    const [a, b] = await pair(open);
    const held: (() => void)[] = [];
    b.answer = (_, frame) => new Promise(resolve => held.push(() => resolve(frame)));
    const asked = Array.from({ length: 8 }, (_, index) => a.ask(b, `question ${index}`));
    await a.until(() => true);
    while (held.length < 8) await new Promise(resolve => setImmediate(resolve));
    for (const release of held.reverse()) release();
    const answers = await Promise.all(asked);
    expect(answers.map(answer => Buffer.from(answer as Uint8Array).toString())).toEqual(
      Array.from({ length: 8 }, (_, index) => `question ${index}`),
    );
  });

  it('carries a refusal as code and detail', async () => {
    const [a, b] = await pair(open);
    b.answer = async () => reject('not_here', 'record 7', 'ignore');
    expect(await a.ask(b, 'record 7')).toEqual(reject('not_here', 'record 7', 'ignore'));
    expect(a.isConnected(b)).toBe(true);
  });

  it('gives up after the timeout and when it is abandoned, and goes on', async () => {
    const [a, b] = await pair(open);
    b.answer = (_, frame) => (frame.length > 1 ? new Promise(() => {}) : Promise.resolve(frame));
    expect((await errorOf(a.ask(b, 'never', 20))).code).toBe('timeout');
    const abandon = new AbortController();
    const options = { timeoutMs: 30_000, signal: abandon.signal };
    const asked = errorOf(a.transport.request(b.id, ECHO.id, new Uint8Array(5), options));
    abandon.abort();
    expect((await asked).code).toBe('aborted');
    expect(await a.ask(b, 'x')).toEqual(Uint8Array.of(0x78));
  });

  it('fails what is asked when the peer goes away in the middle', async () => {
    const [a, b] = await pair(open);
    let arrived = () => {};
    const reached = new Promise<void>(resolve => {
      arrived = resolve;
    });
    b.answer = () => {
      arrived();
      return new Promise(() => {});
    };
    const asked = errorOf(a.ask(b, 'stay with me'));
    await reached;
    await b.transport.stop();
    expect((await asked).code).toBe('disconnected');
  });
}

function hostileTests(open: Open): void {
  it('[95] answers a bounded number of requests of one peer at a time, and all in the end', async () => {
    const [a, b] = await pair(open, { ...ECHO, outboxBytesMax: 1 << 20 });
    let running = 0;
    let most = 0;
    b.answer = async () => {
      running += 1;
      most = Math.max(most, running);
      for (let turn = 0; turn < 5; turn += 1) await new Promise(resolve => setImmediate(resolve));
      running -= 1;
      return Uint8Array.of(1);
    };
    const asked = Array.from({ length: 400 }, () => a.ask(b, new Uint8Array(32 << 10)));
    const results = await Promise.allSettled(asked);
    const answered = results.filter(result => result.status === 'fulfilled').length;
    const refused = results.filter(
      result => result.status === 'rejected' && result.reason.code === 'outbox_full',
    );
    expect(most).toBe(ECHO.requestsInFlightMax);
    expect(answered).toBeGreaterThan(20);
    expect(answered + refused.length).toBe(400);
    expect(await a.ask(b, 'room again')).toEqual(Uint8Array.of(1));
  });

  it('keeps the link while both sides send and ask as much as the other takes', async () => {
    const [a, b] = await pair(open, { ...ECHO, outboxBytesMax: 4 << 20, requestsInFlightMax: 2 });
    const pump = async (from: RecordingPeer, to: RecordingPeer) => {
      for (let sent = 0; sent < 80; ) {
        if (from.transport.send(to.id, ECHO.id, new Uint8Array(1 << 20))) sent += 1;
        else await new Promise(resolve => setImmediate(resolve));
      }
    };
    const asked = [a, b].flatMap(peer =>
      Array.from({ length: 12 }, () => peer.ask(peer === a ? b : a, new Uint8Array(200_000))),
    );
    await Promise.all([pump(a, b), pump(b, a), ...asked]);
    await Promise.all([a, b].map(peer => peer.until(() => peer.frames.length === 80)));
    expect([a.events.length, b.events.length]).toEqual([1, 1]);
  });

  it('penalises the sender of a frame over the limit, for a while only', async () => {
    const a = await open('a');
    const b = await open('b', { ...ECHO, frameBytesMax: 1_000 });
    a.keep(b);
    await a.connected(b);
    a.transport.send(b.id, ECHO.id, new Uint8Array(1_001));
    await Promise.all([a.disconnected(b), b.disconnected(a)]);
    expect(b.frames).toEqual([]);
    await Promise.all([a.connected(b), b.connected(a)]);
  });

  it('[93] drops the sender of undecodable frames, messages or requests', async () => {
    const [a, b] = await pair(open);
    b.judge = frame => (frame.length > 3 ? reject('undecodable', 'noise') : null);
    for (let count = 0; count < 1_000; count += 1) a.say(b, 'noise');
    await Promise.all([a.disconnected(b), b.disconnected(a)]);
    expect(b.frames.length).toBe(1);
    await Promise.all([a.connected(b), b.connected(a)]);
    b.answer = async () => reject('undecodable', 'noise');
    void a.ask(b, 'noise').catch(() => {});
    await Promise.all([a.disconnected(b), b.disconnected(a)]);
  });
}
