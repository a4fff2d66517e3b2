import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, equalBytes } from '../../src/core/base/bytes.ts';
import { type LogId, ZERO_HASH } from '../../src/core/base/ids.ts';
import { isReject, reject } from '../../src/core/base/reject.ts';
import type { Block } from '../../src/core/types/chain.ts';
import type { Transport } from '../../src/ports/transport.ts';
import {
  decodeProtocols,
  decodeReject,
  encodeProtocols,
  encodeReject,
  FRAME_KINDS,
  type Frame,
  FrameParser,
  frameHeader,
} from '../../src/transport/frame.ts';
import { WIRE_LIMITS, type WireCodec } from '../../src/wire/codec.ts';
import {
  blockFetchedCodec,
  consensusMessageCodec,
  consensusRequestCodec,
  newViewFetchedCodec,
} from '../../src/wire/consensus.ts';
import { filesAnswerCodec, filesRequestCodec } from '../../src/wire/files.ts';
import { phaseline } from '../../src/wire/generated/messages.js';
import { lightFrameCodec, lightRequestCodec } from '../../src/wire/light.ts';
import { lightAnswerCodec } from '../../src/wire/light-answer.ts';
import { poolFetchCodec, poolFetchedCodec, poolFrameCodec } from '../../src/wire/pool.ts';
import { syncAnswerCodec, syncHeadCodec, syncRequestCodec } from '../../src/wire/sync.ts';
import { joinedAnswer } from '../support/joined-answer.ts';
import { LightNetwork } from '../support/light-kit.ts';
import type { MemoryNetwork } from '../support/memory-transport.ts';
import { alice, bob, consortium, INTAKE, PROJECT, WRITER } from '../unit/ledger/fixture.ts';
import { Consortium } from '../unit/pbft/kit.ts';
import {
  announce,
  anyBytes,
  checkEdges,
  checkMutants,
  checkSubjects,
  decodeHostile,
  FUZZ_TIMEOUT,
  fuzz,
  type Subject,
  subject,
} from './kit.ts';

announce('wire.test');

type MemoryTransport = ReturnType<MemoryNetwork['create']>;

/** What light clients and servers say to each other, as bytes on the wire. */
class Tap {
  readonly frames: Uint8Array[] = [];
  readonly requests: Uint8Array[] = [];
  readonly answers: Uint8Array[] = [];

  listen(network: LightNetwork): void {
    const create = network.network.create.bind(network.network);
    network.network.create = options => this.wrap(create(options));
  }

  private wrap(transport: MemoryTransport): MemoryTransport {
    const register: Transport['register'] = (options, handler) =>
      transport.register(options, {
        ...handler,
        message: (from, frame) => {
          this.frames.push(frame);
          return handler.message?.(from, frame) ?? null;
        },
        request: async (from, frame) => {
          const answer = joinedAnswer(await handler.request!(from, frame));
          this.requests.push(frame);
          if (!isReject(answer)) this.answers.push(answer);
          return answer;
        },
      });
    return new Proxy(transport, {
      get: (target, name) => {
        if (name === 'register') return register;
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

/** A member follows a phase, submits, asks for statuses, addresses and a fresh head: every kind of light frame. */
async function recordLight(): Promise<Tap> {
  const { ledger } = consortium();
  const network = new LightNetwork(ledger);
  const { actions: act } = network;
  const tap = new Tap();
  tap.listen(network);
  ledger.commit(act.createProject(alice, PROJECT));
  ledger.commit(act.addPhase(alice, PROJECT, INTAKE, { bob: WRITER }), act.put(bob, INTAKE, 'no record yet'));
  for (const index of [0, 1, 2]) await network.serve(index);
  const client = await network.join(bob);
  await client.reached(ledger.height);
  network.commit(act.open(alice, INTAKE));
  await client.reached(ledger.height);
  const record = act.put(bob, INTAKE, 'record');
  const outcome = client.light.submit([record.signed]);
  await client.until(() => network.pool.size > 0);
  network.commitPool();
  await outcome;
  await network.stop();
  return tap;
}

const consortiumOfFour = new Consortium(4);
const block = consortiumOfFour.block(consortiumOfFour.genesis, 'one');
const { signed } = consortiumOfFour.proposal(block);
const certificate = consortiumOfFour.certificate('commit', block);
const hash = block.header.parentHash;
const bytes = Uint8Array.of(1, 2, 3);
const light = await recordLight();

function codecSubject<T>(name: string, codec: WireCodec<T>, values: readonly T[]): Subject {
  return subject(name, codec.decode, codec.encode as never, values.map(codec.encode));
}

/** Frames as they were on the wire, and values of the kinds that were not. */
function recorded<T>(name: string, codec: WireCodec<T>, frames: readonly Uint8Array[], values: readonly T[]) {
  return subject(name, codec.decode, codec.encode as never, [...frames, ...values.map(codec.encode)]);
}

const statement = { validatorSetId: 0, signer: 1, height: 3, blockHash: hash, signature: signed.signature };
const proof = { entry: block.entries[0]!, index: 0, size: 1, path: [] };
const receipt = { certified: { header: block.header, certificate }, proof };
const refusal = reject('expired', 'too late', 'ignore');

const subjects: readonly Subject[] = [
  codecSubject('consensus message', consensusMessageCodec, [signed]),
  codecSubject('consensus request', consensusRequestCodec, [
    { type: 'block', blockHash: hash, height: 300 },
    { type: 'newView', validatorSetId: 2, view: 9 },
  ]),
  codecSubject<{ newView: typeof signed | null }>('new view fetched', newViewFetchedCodec, [
    { newView: signed },
    { newView: null },
  ]),
  codecSubject<{ block: Block | null }>('block fetched', blockFetchedCodec, [{ block }, { block: null }]),
  codecSubject('pool frame', poolFrameCodec, [
    { kind: 'bodies', transactions: [bytes, bytes] },
    { kind: 'have', ids: [hash, block.header.mapRoot] },
  ]),
  codecSubject('pool fetch', poolFetchCodec, [
    [
      { id: hash, wrapperHash: null },
      { id: hash, wrapperHash: hash },
    ],
  ]),
  codecSubject('pool fetched', poolFetchedCodec, [[bytes, bytes]]),
  codecSubject('sync head', syncHeadCodec, [0, 7, 2 ** 40]),
  codecSubject('sync request', syncRequestCodec, [
    { kind: 'blocks', fromHeight: 3, blocksMax: 16, bytesMax: 1 << 20 },
    { kind: 'offer', knownHeight: 7 },
    { kind: 'chunk', request: { kind: 'scopes', height: 9, after: hash } },
    {
      kind: 'chunk',
      request: { kind: 'leaves', segments: [{ logId: hash as LogId, from: 1, to: 3, size: 9 }] },
    },
    { kind: 'chunk', request: { kind: 'blocks', from: 3, to: 9 } },
  ]),
  codecSubject('sync answer', syncAnswerCodec, [
    { kind: 'blocks', headHeight: 9, bodiesFrom: 2, blocks: [{ block, certificate, transactions: [bytes] }] },
    { kind: 'offer', snapshotHeight: 0, changes: [], certified: null },
    {
      kind: 'offer',
      snapshotHeight: 9,
      changes: [{ certified: { header: block.header, certificate }, nextSet: { id: 1, validators: [] } }],
      certified: { header: block.header, certificate },
    },
    { kind: 'chunk', chunk: { kind: 'blocks', blocks: [{ block, certificate }] } },
    {
      kind: 'chunk',
      chunk: {
        kind: 'scopes',
        last: true,
        scopes: [
          {
            ref: { scope: 'phase', id: hash },
            entry: { size: 3, root: hash, digest: hash },
            proof: { siblings: [ZERO_HASH, hash], leaf: { key: hash, value: hash } },
            state: bytes,
          },
        ],
      },
    },
    {
      kind: 'chunk',
      chunk: {
        kind: 'leaves',
        parts: [
          {
            logId: hash as LogId,
            frontier: { size: 1, hashes: [hash] },
            leaves: [{ height: 3, timeMs: 5, transactionId: hash, outcome: 0 }],
            consistency: [hash],
            transactions: [bytes],
          },
        ],
      },
    },
  ]),
  codecSubject('files request', filesRequestCodec, [
    { phase: hash, kind: 'have', roots: ['bafk', 'bafy'] },
    { phase: hash, root: 'bafk', kind: 'get', cids: ['bafk', 'bafy'] },
    { phase: hash, kind: 'small', roots: ['bafk'] },
    { phase: hash, root: 'bafk', kind: 'prove', cids: ['bafk'], nonce: new Uint8Array(32).fill(1) },
    { phase: hash, kind: 'offer', files: [{ cid: 'bafk', ciphertextBytes: 70_000, keyCommitment: hash }] },
  ]),
  codecSubject('files answer', filesAnswerCodec, [
    { kind: 'holding', extents: ['partial', 'whole'] },
    { kind: 'proof', digest: new Uint8Array(32).fill(2) },
    { kind: 'taken', indexes: [1, 2] },
    { kind: 'blocks', blocks: [{ cid: 'bafk', bytes }], absent: ['bafy'] },
  ]),
  recorded('light frame', lightFrameCodec, light.frames, []),
  recorded('light request', lightRequestCodec, light.requests, [
    { kind: 'head', knownHeight: 5, knownHash: null },
    { kind: 'addresses', members: [alice.id, bob.id] },
    { kind: 'status', ids: [hash] },
    { kind: 'fresh', nonce: new Uint8Array(32) },
  ]),
  recorded('light answer', lightAnswerCodec, light.answers, [
    {
      kind: 'head',
      changes: [{ certified: receipt.certified, nextSet: consortiumOfFour.set }],
      certified: receipt.certified,
      conflicting: receipt.certified,
    },
    {
      kind: 'addresses',
      peers: [{ member: bob.id, peer: 'peer-of-bob', addresses: ['/ip4/127.0.0.1/tcp/1'] }],
    },
    { kind: 'verdicts', verdicts: [null, refusal] },
    {
      kind: 'statuses',
      statuses: [{ status: 'unknown' }, { status: 'pending' }, { status: 'block', receipt }],
    },
    { kind: 'fresh', statement },
  ]),
];

describe('wire codecs', () => {
  it(
    '[32] take frames that nodes send, and answer arbitrary bytes with a refusal or their one value',
    {
      ...FUZZ_TIMEOUT,
    },
    () => checkSubjects(subjects, 80),
  );

  it('[32] answer changed frames with a refusal or a value of these bytes', { ...FUZZ_TIMEOUT }, () =>
    checkMutants(subjects, 600),
  );

  it(
    '[97] neither wrap nor allocate at lengths and heights of 2^31, 2^32 - 1, 2^53 and 2^64',
    {
      ...FUZZ_TIMEOUT,
    },
    () => checkEdges(subjects, 24),
  );

  it('[32] refuse a frame with a field that nobody knows, and one with two of which one is allowed', () => {
    const tails = [Uint8Array.of(0x98, 0x06, 0x01), Uint8Array.of(0x9a, 0x06, 0x01, 0x00)];
    for (const { name, decode, samples } of subjects)
      for (const sample of samples.slice(0, 3))
        for (const tail of tails)
          expect(isReject(decode(Uint8Array.of(...sample, ...tail))), name).toBe(true);
    const two = phaseline.LightFrame.encode({ hello: { member: 'bob', addresses: [] }, notice: {} }).finish();
    expect(isReject(lightFrameCodec.decode(two))).toBe(true);
  });

  it('[32][93] refuse a frame of empty fields by their number, before an object is made of each', () => {
    const tag = (field: number) => (field << 3) | 2;
    const paths: readonly (readonly [string, readonly number[]])[] = [
      ['light request', [2, 3]],
      ['light request', [4, 1]],
      ['light answer', [2, 5]],
      ['pool frame', [1, 1]],
      ['pool fetch', [1]],
      ['pool fetched', [1]],
      ['sync answer', [2]],
      ['files request', [6, 1]],
    ];
    for (const [name, path] of paths) {
      const each = subjects.find(candidate => candidate.name === name)!;
      const empty = new Uint8Array(4 * WIRE_LIMITS.fieldsFree);
      for (let at = 0; at < empty.length; at += 2) empty[at] = tag(path.at(-1)!);
      const nested = path.slice(0, -1).reduceRight<Uint8Array>((inner, field) => {
        const length = [0, 7, 14, 21].map(
          (shift, at) => ((inner.length >>> shift) & 127) | (at < 3 ? 128 : 0),
        );
        return concatBytes(Uint8Array.of(tag(field), ...length), inner);
      }, empty);
      expect(decodeHostile(each, nested), name).toBe(false);
      expect(each.decode(nested)).toMatchObject({
        detail: expect.stringContaining('not a protobuf message'),
      });
    }
  });
});

describe('the samples', () => {
  it('hold light frames, requests and answers of every kind', () => {
    const kindsOf = (name: string) => {
      const { samples, decode } = subjects.find(each => each.name === name)!;
      return [...new Set(samples.map(bytes => (decode(bytes) as { kind: string }).kind))].sort();
    };
    expect(kindsOf('light frame')).toEqual(['hello', 'notice']);
    expect(kindsOf('light request')).toEqual(['addresses', 'fresh', 'head', 'logs', 'status', 'submit']);
    expect(kindsOf('light answer')).toEqual(['addresses', 'fresh', 'head', 'logs', 'statuses', 'verdicts']);
  });
});

/** All frames of a stream that arrives in these pieces. */
function framesOf(stream: Uint8Array, cuts: readonly number[], frameBytesMax: number) {
  const parser = new FrameParser(frameBytesMax);
  const frames: Frame[] = [];
  const places = [...new Set(cuts.map(cut => cut % (stream.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...places, stream.length]) {
    parser.push(stream.subarray(from, to));
    from = to;
    for (let frame = parser.take(); frame !== null; frame = parser.take()) frames.push(frame);
  }
  return { frames, fault: parser.fault };
}

function streamOf(frames: readonly Frame[]): Uint8Array {
  return Uint8Array.from(
    frames.flatMap(({ kind, id, payload }) => [...frameHeader(kind, id, payload.length), ...payload]),
  );
}

const cuts = fc.array(fc.nat(), { maxLength: 12 });
const frame: fc.Arbitrary<Frame> = fc.record({
  kind: fc.constantFrom(...Object.values(FRAME_KINDS)),
  id: fc.nat(2 ** 32 - 1),
  payload: fc.uint8Array({ maxLength: 100 }),
});

describe('the framing of a stream', () => {
  it('gives back the frames however the stream is cut', { ...FUZZ_TIMEOUT }, () =>
    fuzz(
      300,
      fc.property(fc.array(frame, { maxLength: 6 }), cuts, (frames, places) => {
        expect(framesOf(streamOf(frames), places, 100)).toEqual({ frames, fault: null });
      }),
    ),
  );

  it(
    '[32][97] reads the same of arbitrary bytes however they are cut, and no frame above the limit',
    {
      ...FUZZ_TIMEOUT,
    },
    () =>
      fuzz(
        500,
        fc.property(anyBytes, cuts, (stream, places) => {
          const whole = framesOf(stream, [], 64);
          expect(framesOf(stream, places, 64)).toEqual(whole);
          const again = streamOf(whole.frames);
          expect(equalBytes(again, stream.subarray(0, again.length))).toBe(true);
          for (const { payload } of whole.frames) expect(payload.length).toBeLessThanOrEqual(64);
        }),
      ),
  );

  it('[32] hellos and refusals of any bytes are read as what they say, or as not understood', {
    ...FUZZ_TIMEOUT,
  }, () => {
    const protocols = subject('protocols', each => decodeProtocols(each, 32), encodeProtocols, [
      encodeProtocols(['/phaseline/light/1', '']),
    ]);
    checkSubjects([protocols], 100);
    checkMutants([protocols], 200);
    checkEdges([protocols], 64);
    fuzz(
      200,
      fc.property(anyBytes, each => {
        const refusal = decodeReject(each);
        expect(refusal.reject === 'undecodable' || equalBytes(encodeReject(refusal), each)).toBe(true);
      }),
    );
  });
});
