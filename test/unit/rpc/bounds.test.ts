import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { consensusNodeMethods, participantMethods } from '../../../src/rpc/groups.ts';
import type { RpcLimits } from '../../../src/rpc/limits.ts';
import { MessageWatch } from '../../../src/rpc/message-watch.ts';
import {
  hashOf,
  MemoryConsensusNode,
  MemoryParticipant,
  post,
  rawExchange,
  startServer,
  stopServers,
  TOKEN,
} from './support.ts';

const session = { headers: { authorization: `Bearer ${TOKEN}` } };
const chainHead = '{"jsonrpc":"2.0","id":1,"method":"chain_head"}';
const padded = (bytes: number) => chainHead.padEnd(bytes);

const start = (limits: Partial<RpcLimits> = {}, node = new MemoryConsensusNode()) => {
  node.book.append();
  return startServer(consensusNodeMethods(node), { node, limits });
};
const open: (WebSocket | Socket)[] = [];
const openSocket = (url: string, options: object = {}) =>
  new Promise<WebSocket>((resolve, fail) => {
    const socket = new WebSocket(url.replace('http', 'ws'), ['phaseline.rpc.1'], options);
    open.push(socket);
    socket.once('open', () => resolve(socket));
    socket.once('error', fail);
  });
const closeOf = (socket: WebSocket) => new Promise<number>(resolve => socket.once('close', resolve));
const answerOf = (socket: WebSocket) =>
  new Promise<string>(resolve => socket.once('message', data => resolve(String(data))));
/** The server has read all that was sent before. */
const settle = (socket: WebSocket) =>
  new Promise(resolve => {
    socket.once('pong', resolve);
    socket.ping();
  });

afterEach(() => {
  for (const socket of open.splice(0)) 'terminate' in socket ? socket.terminate() : socket.destroy();
});
afterAll(stopServers);

describe('[90] WebSockets of strangers', () => {
  it('carry small messages only; the session carries bodies', async () => {
    const { url } = await start({ bodyBytesMax: 1_000_000 });
    const stranger = await openSocket(url);
    stranger.send(padded(65_536));
    expect(await answerOf(stranger)).toContain('"height":0');
    const refused = closeOf(stranger);
    stranger.send(padded(65_537));
    const owner = await openSocket(url, session);
    owner.send(padded(1_000_000));
    expect(await answerOf(owner)).toContain('"height":0');
    expect(await refused).toBe(1009);
    owner.send(padded(1_000_001));
    expect(await closeOf(owner)).toBe(1009);
  });

  it('do not carry a message in countless parts', async () => {
    const { url } = await start({ messagePartsMax: 10 });
    const stranger = await openSocket(url);
    for (let part = 0; part < 11; part += 1) stranger.send(' ', { fin: false });
    expect(await closeOf(stranger)).toBe(1008);
  });

  it('leave places to the session', async () => {
    const { url } = await start({ webSocketsMax: 3, anonymousWebSocketsMax: 1 });
    await openSocket(url);
    expect(await closeOf(await openSocket(url))).toBe(1013);
    const owner = await openSocket(url, session);
    owner.send(chainHead);
    expect(await answerOf(owner)).toContain('"height":0');
  });

  it('are not read while much waits for answers', async () => {
    const node = new MemoryConsensusNode();
    let begun = 0;
    let release = () => {};
    const released = new Promise<void>(resolve => (release = resolve));
    node.submit = async () => {
      begun += 1;
      await released;
      return { id: hashOf(10) };
    };
    const { url } = await start({}, node);
    const socket = await openSocket(url);
    let answered = 0;
    const all = new Promise<void>(resolve => socket.on('message', () => ++answered === 60 && resolve()));
    const params = { transaction: 'AAAA'.repeat(10_000) };
    const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tx_submit', params });
    for (let count = 0; count < 60; count += 1) socket.send(text);
    while (begun < 2) await post(url, chainHead);
    for (let turn = 0; turn < 10; turn += 1) await post(url, chainHead);
    expect(begun).toBeLessThan(6);
    release();
    await all;
  });

  it('are cut off when a message does not end, control frames or not; the session has longer', async () => {
    const { url, clock } = await start({ idleMs: 90_000 });
    const [stalled, done, owner] = [
      await openSocket(url),
      await openSocket(url),
      await openSocket(url, session),
    ];
    let ownerClosed = false;
    const [stalledEnd, ownerEnd] = [closeOf(stalled), closeOf(owner).then(() => (ownerClosed = true))];
    for (const socket of [stalled, done, owner]) socket.send('{', { fin: false });
    const step = async (sockets: readonly WebSocket[]) => {
      await Promise.all(sockets.map(settle));
      clock.advance(30_000);
    };
    await step([stalled, done, owner]);
    done.send('}', { fin: true });
    await answerOf(done);
    done.send('{', { fin: false });
    await step([stalled, done, owner]);
    await stalledEnd;
    done.send('}', { fin: true });
    await answerOf(done);
    await step([done, owner]);
    await step([done, owner]);
    await step([done, owner]);
    expect(ownerClosed).toBe(false);
    await step([done, owner]);
    await ownerEnd;
    done.send(chainHead);
    expect(await answerOf(done)).toContain('"height":0');
  });
});

describe('the watch over messages', () => {
  const frame = (opcode: number, final: boolean, bytes: number, masked = true) => {
    const length = bytes < 126 ? [bytes] : bytes < 65_536 ? [126, bytes >> 8, bytes & 255] : null;
    const extended = length ?? [127, 0, 0, 0, 0, 0, bytes >> 16, (bytes >> 8) & 255, bytes & 255];
    extended[0]! |= masked ? 0x80 : 0;
    return [(final ? 0x80 : 0) | opcode, ...extended, ...new Array((masked ? 4 : 0) + bytes).fill(0x81)];
  };

  it('knows at each byte whether a message is under way, however the bytes are cut', () => {
    const frames = [
      { bytes: frame(1, true, 5), endsMessage: true },
      { bytes: frame(1, false, 300), endsMessage: false },
      { bytes: frame(9, true, 0), endsMessage: false },
      { bytes: frame(0, false, 0), endsMessage: false },
      { bytes: frame(0, true, 70_000), endsMessage: true },
      { bytes: frame(10, true, 3, false), endsMessage: true },
      { bytes: frame(2, true, 0), endsMessage: true },
    ];
    for (const size of [1, 2, 7, 1_000, 100_000]) {
      const watch = new MessageWatch();
      for (const { bytes, endsMessage } of frames) {
        for (let offset = 0; offset < bytes.length; offset += size) {
          const piece = Uint8Array.from(bytes.slice(offset, offset + size));
          watch.feed(piece);
          const isUnderWay = offset + size < bytes.length || !endsMessage;
          if ((watch.unfinished === null) === isUnderWay) expect([size, offset, bytes[0]]).toBe('right');
        }
      }
    }
    const watch = new MessageWatch();
    const seen: (number | null)[] = [];
    for (const { bytes } of frames.slice(0, 5)) {
      watch.feed(Uint8Array.from(bytes.slice(0, -1)));
      seen.push(watch.unfinished);
      watch.feed(Uint8Array.from(bytes.slice(-1)));
    }
    expect(seen).toEqual([1, 2, 2, 2, 2]);
  });
});

describe('[96] slow HTTP clients', () => {
  const request = (url: string, text: string) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    open.push(socket);
    socket.on('error', () => {});
    socket.write(text);
    return socket;
  };
  const until = async (done: () => boolean, turn: () => void = () => {}) => {
    while (!done()) {
      turn();
      await new Promise(resolve => setImmediate(resolve));
    }
  };

  it('are closed when they send nothing, or headers without an end', async () => {
    const { url } = await start({ requestMs: 120 });
    await Promise.all([
      rawExchange(url, ''),
      rawExchange(url, 'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: '),
    ]);
  });

  it('are closed when a call does not come whole, with the session too; an upload may take its time', async () => {
    const participant = new MemoryParticipant();
    const phase = hashOf(0xa1) as PhaseId;
    participant.addPhase(phase, 'intake');
    const methods = participantMethods(participant, null);
    const { url, clock } = await startServer(methods, { node: participant, files: participant });
    const token = `Authorization: Bearer ${TOKEN}\r\n`;
    const head = 'Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 10\r\n';
    const upload = request(url, `PUT /phases/${phase}/files?name=x HTTP/1.1\r\n${head}${token}\r\n[`);
    await until(() => participant.uploadSignal !== null);
    const calls = [
      request(url, `POST / HTTP/1.1\r\n${head}\r\n[`),
      request(url, `POST / HTTP/1.1\r\n${head}${token}\r\n[`),
      request(
        url,
        `POST /nowhere HTTP/1.1\r\n${head.replace('Content-Length: 10', 'Transfer-Encoding: chunked')}\r\n`,
      ),
    ];
    let closed = 0;
    for (const socket of calls) {
      socket.resume();
      socket.on('close', () => (closed += 1));
    }
    await until(
      () => closed === calls.length,
      () => clock.advance(30_000),
    );
    let answer = '';
    upload.on('data', data => (answer += data.toString()));
    upload.write('123456789');
    await until(() => answer.includes('\r\n\r\n'));
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect([...participant.files.values()][0]!.bytes.length).toBe(10);
  });
});
