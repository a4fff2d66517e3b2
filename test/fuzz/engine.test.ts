import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Hash, ZERO_HASH } from '../../src/core/base/ids.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import { Reader } from '../../src/core/codec/reader.ts';
import { Writer } from '../../src/core/codec/writer.ts';
import {
  decodeMessage,
  encodeContent,
  readPreparedProof,
  readSignedMessage,
  writePreparedProof,
  writeSignedMessage,
} from '../../src/core/pbft/message-codec.ts';
import type { ConsensusMessage, MessageContent, MessageKind } from '../../src/core/pbft/messages.ts';
import { decodeWalRecord, encodeWalMessage, encodeWalRecord } from '../../src/core/pbft/wal-record.ts';
import { suite } from '../unit/pbft/kit.ts';
import { EngineWorld, type Seats, Shell, VIEWS } from './engine-world.ts';
import { announce, checkEdges, checkMutants, checkSubjects, FUZZ_TIMEOUT, fuzz, subject } from './kit.ts';

announce('engine.test');

const WORLDS = (
  [
    { n: 4, own: 2, hostile: [0] },
    { n: 4, own: 0, hostile: [1] },
    { n: 4, own: 3, hostile: [2] },
    { n: 7, own: 1, hostile: [0, 3] },
  ] satisfies Seats[]
).map(seats => new EngineWorld(seats));

/** One step of a run: what it is, and numbers that choose among what there is. */
type Step = readonly [kind: number, a: number, b: number, c: number];

const pick = <T>(items: readonly T[], choice: number): T => items[choice % items.length]!;
const EDGES = [2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER];
const numberOf = (choice: number, small: number) =>
  choice % 7 === 0 ? pick(EDGES, choice >> 3) : choice % (small + 1);

/** The indices whose bit is set. */
const listOf = (n: number, bits: number) =>
  Array.from({ length: n }, (_, index) => index).filter(index => (bits >> index) % 2 === 1);

interface Run {
  readonly world: EngineWorld;
  readonly shell: Shell;
  /** Nobody asks for more than this view, but for absurd ones: in some runs the first view lasts. */
  readonly viewMost: number;
  /** Honest validators say nothing. */
  readonly alone: boolean;
}

/** A view under which honest validators vote: mostly the one that the engine is in. */
function honestView({ world, shell, viewMost }: Run, choice: number): number {
  const { n, own } = world.seats;
  const views = Array.from({ length: viewMost + 1 }, (_, view) => view);
  const known = views.filter(view => view === 0 || view % n !== own);
  return choice % 4 !== 0 && known.includes(shell.engine.view) ? shell.engine.view : pick(known, choice >> 2);
}

/** A message that honest validators send, each of them the same at each of its slots. */
function honestMessage(run: Run, [, a, b, c]: Step): ConsensusMessage {
  const { world, viewMost } = run;
  const { consortium, honest, chain, seats } = world;
  const signer = pick(honest, a);
  const view = honestView(run, b);
  // low heights more often: what is above them waits for them
  const block = chain[Math.min((c >> 3) % chain.length, (b >> 3) % chain.length)]!;
  const blockHash = headerHash(suite.sha256, block.header);
  const { height } = block.header;
  const asked = 1 + (b % Math.max(1, viewMost));
  const head = world.head((c >> 3) % (chain.length + 1), 0);
  switch (c % 8) {
    case 0:
      return consortium.viewChange(seats.hostile[0]!, asked, [], world.head(0, 0));
    case 1:
      return world.viewChange(signer, asked);
    case 2:
      return view === 0 ? consortium.proposal(block) : world.newView(view);
    case 3: {
      const at = Math.max(2, height - (height % 2));
      const { header } = chain[at - 1]!;
      const content = {
        kind: 'checkpoint',
        height: at,
        blockHash: headerHash(suite.sha256, header),
      } as const;
      return consortium.sign(signer, content);
    }
    case 4:
      return consortium.sign(signer, {
        kind: 'complaint',
        view: b % (viewMost + 1),
        height,
        lasting: a % 2 === 0,
        gone: a % 3 === 0 ? seats.hostile : [],
      });
    case 5: {
      const rest = { acceptedHeight: height, stableHeight: 0, reply: a % 2 === 0 };
      return consortium.sign(signer, { kind: 'status', view, active: true, head, ...rest });
    }
    default: {
      const kind = c % 8 === 6 ? 'prepare' : 'commit';
      return consortium.sign(signer, { kind, view, newViewDigest: world.digest(view), height, blockHash });
    }
  }
}

/** What a hostile validator can sign: every kind, for any view, height, block and digest. */
function hostileContent({ world, viewMost, alone }: Run, [, a, b, c]: Step): MessageContent {
  const view = numberOf(b, viewMost);
  const block = pick(world.blocks, a);
  const newViewDigest = pick<Hash>(
    [world.digest(Math.min(view, viewMost)), ZERO_HASH, block.header.mapRoot],
    c >> 4,
  );
  const height = numberOf(a >> 3, world.chain.length + 8);
  const blockHash = headerHash(suite.sha256, block.header);
  const shown = alone ? 0 : (a >> 2) % (world.chain.length + 1);
  const head = world.head(shown, 0);
  const above = world.chain
    .slice(alone ? world.chain.length : shown)
    .map(({ header }) => world.prepared(header.height, 0));
  switch (c % 8) {
    case 0: {
      const far = { ...block, header: { ...block.header, height } };
      return { kind: 'prePrepare', view, newViewDigest, block: a % 3 === 0 ? far : block };
    }
    case 1:
      return { kind: 'prepare', view, newViewDigest, height: block.header.height, blockHash };
    case 2:
      return {
        kind: 'commit',
        view,
        newViewDigest,
        height: a % 3 === 0 ? height : block.header.height,
        blockHash,
      };
    case 3:
      return { kind: 'checkpoint', height, blockHash };
    case 4:
      return {
        kind: 'viewChange',
        view: view + 1 - (view > viewMost ? 1 : 0),
        head,
        prepared: above.slice(0, b % 7),
      };
    case 5: {
      const signers = world.signers().filter((_, index) => (a >> index) % 4 !== 3);
      if (!alone) return world.newView(Math.min(view, viewMost), signers).content;
      return { kind: 'complaint', view, height, lasting: true, gone: [] };
    }
    case 6: {
      const rest = { acceptedHeight: height, stableHeight: numberOf(c, 9), reply: a % 2 === 0 };
      return { kind: 'status', view, active: b % 2 === 0, head, ...rest };
    }
    default:
      return { kind: 'complaint', view, height, lasting: a % 2 === 0, gone: listOf(world.seats.n, b) };
  }
}

function hostileMessage(run: Run, step: Step): ConsensusMessage {
  const { world } = run;
  const content = hostileContent(run, step);
  const signer = pick(world.seats.hostile, step[1] + step[2]);
  // a NEW-VIEW verifies from the primary of its view only
  if (content.kind === 'newView' && content.view % world.seats.n === signer)
    return world.once(`hostile ${content.view} ${content.viewChanges.map(each => each.signer)}`, () =>
      world.consortium.sign(signer, content),
    );
  return world.consortium.sign(signer, content);
}

function receive({ world, shell }: Run, message: ConsensusMessage): void {
  if (world.verifies(message)) shell.give({ type: 'message', message });
}

/** All that the others say of the next block, but for one message: enough for a commit, or just not. */
function wholeHeight(run: Run, [, a, b]: Step): void {
  const { world, shell } = run;
  const block = world.chain[shell.engine.head.header.height];
  if (block === undefined || run.alone) return;
  const { consortium } = world;
  const view = honestView(run, b);
  const digest = world.digest(view);
  shell.give({ type: 'fetched', block });
  const messages: ConsensusMessage[] = world
    .signers()
    .flatMap(signer =>
      (['prepare', 'commit'] as const).map(kind => consortium.vote(signer, kind, block, view, digest)),
    );
  if (view === 0) messages.unshift(consortium.proposal(block));
  messages.splice(a % (4 * messages.length), 1);
  for (const message of messages) receive(run, message);
}

function take(run: Run, step: Step): void {
  const { world, shell } = run;
  const [kind, a, b, c] = step;
  switch (kind) {
    case 0:
      if (a % 2 === 0) shell.settle();
      else shell.flush();
      break;
    case 1:
      shell.execute(a);
      break;
    case 2:
      shell.commit();
      break;
    case 3:
      shell.fire(a);
      break;
    case 4:
      shell.build(a);
      break;
    case 5:
      shell.give({ type: 'pending', waiting: a % 4 !== 0 });
      break;
    case 6:
      shell.give({ type: 'fetched', block: pick(world.blocks, a) });
      break;
    case 7:
      shell.give({ type: 'connected', peerId: `peer-${a % world.seats.n}` });
      break;
    case 8:
      shell.give({
        type: 'otherSet',
        validatorSetId: numberOf(a, 3),
        peerId: `peer-${b % world.seats.n}`,
      });
      break;
    case 9:
      if (a % 8 === 0) shell.crash();
      break;
    case 10:
      if (a % 4 === 0) shell.sync(1 + (b % world.chain.length));
      break;
    case 11:
      if (a % 4 === 0) shell.give({ type: 'complain' });
      else
        shell.give({
          type: 'unreachable',
          peerIds: listOf(world.seats.n, b).map(index => `peer-${index}`),
        });
      break;
    case 12:
      shell.giveUnasked(a, b);
      break;
    case 13:
    case 14:
    case 15:
      receive(run, hostileMessage(run, step));
      break;
    case 16:
      wholeHeight(run, step);
      break;
    default:
      for (let count = 0; count <= c % (world.honest.length + 1); count += 1)
        receive(run, honestMessage(run, [kind, a + count, b, c]));
  }
}

const steps = fc.array<Step>(fc.tuple(fc.nat(23), fc.nat(), fc.nat(), fc.nat()), {
  minLength: 40,
  maxLength: 160,
  size: 'max',
});

describe('the engine among hostile validators', () => {
  it('[6][29][33][41][70] takes any messages and inputs in any order: no assertion, bounded, no commit without a quorum', {
    ...FUZZ_TIMEOUT,
  }, () => {
    const reached = { committed: 0, views: 0 };
    fuzz(
      30,
      fc.property(fc.nat(WORLDS.length * (VIEWS + 1) - 1), steps, (which, plan) => {
        const world = pick(WORLDS, Math.floor(which / (VIEWS + 1)));
        const shell = new Shell(world);
        const run = { world, shell, viewMost: which % (VIEWS + 1), alone: false };
        for (const step of plan) take(run, step);
        for (let round = 0; round < 200; round += 1) shell.settle();
        for (const [height, hash] of shell.committed)
          expect(hash).toBe(headerHash(suite.sha256, world.chain[height - 1]!.header));
        reached.committed += shell.committed.size;
        reached.views += shell.engine.view;
      }),
    );
    // the generator reaches what it is meant to reach
    expect(reached.committed).toBeGreaterThan(0);
    expect(reached.views).toBeGreaterThan(0);
  });

  it(
    '[2][33] f hostile validators and itself are no quorum: nothing commits, whatever they send',
    {
      ...FUZZ_TIMEOUT,
    },
    () =>
      fuzz(
        20,
        fc.property(fc.nat(WORLDS.length * (VIEWS + 1) - 1), steps, (which, plan) => {
          const world = pick(WORLDS, Math.floor(which / (VIEWS + 1)));
          const shell = new Shell(world);
          const run = { world, shell, viewMost: which % (VIEWS + 1), alone: true };
          for (const [kind, ...rest] of plan) take(run, [kind > 12 ? 13 : kind === 10 ? 0 : kind, ...rest]);
          expect([...shell.committed]).toEqual([]);
        }),
      ),
  );
});

const [world] = WORLDS;
const samples: Record<MessageKind, ConsensusMessage> = {
  prePrepare: world!.consortium.proposal(world!.chain[1]!),
  prepare: world!.consortium.vote(1, 'prepare', world!.chain[1]!),
  commit: world!.consortium.vote(1, 'commit', world!.chain[1]!),
  checkpoint: world!.consortium.sign(1, { kind: 'checkpoint', height: 2, blockHash: ZERO_HASH }),
  viewChange: world!.viewChange(1, 3),
  newView: world!.newView(1),
  status: world!.consortium.sign(1, {
    kind: 'status',
    view: 1,
    active: true,
    head: world!.head(2, 0),
    acceptedHeight: 3,
    stableHeight: 0,
    reply: false,
  }),
  complaint: world!.consortium.sign(1, { kind: 'complaint', view: 1, height: 2, lasting: false, gone: [] }),
};
const signedMessages = Object.values(samples).map(({ signed }) => signed);

function read<T>(name: string, take: (reader: Reader) => T) {
  return (bytes: Uint8Array) => {
    const reader = new Reader(bytes);
    return reader.finish(take(reader), name);
  };
}

function written<T>(write: (writer: Writer, value: T) => void) {
  return (value: T) => {
    const writer = new Writer();
    write(writer, value);
    return writer.finish();
  };
}

const proof = world!.prepared(2, 0);
const subjects = [
  ...signedMessages.map(signed =>
    subject(
      signed.kind,
      body => decodeMessage({ ...signed, body }),
      ({ content }) => encodeContent(content),
      [signed.body],
    ),
  ),
  subject(
    'signed message',
    read('signed message', readSignedMessage),
    written(writeSignedMessage),
    signedMessages.map(written(writeSignedMessage)),
  ),
  subject('prepared proof', read('prepared proof', readPreparedProof), written(writePreparedProof), [
    written(writePreparedProof)(proof),
  ]),
  subject('log record', decodeWalRecord, encodeWalRecord, [
    ...signedMessages.map(encodeWalMessage),
    encodeWalRecord({ type: 'block', block: world!.chain[0]! }),
    encodeWalRecord({ type: 'prepared', proof }),
    encodeWalRecord({ type: 'stable', validatorSetId: 0, height: 4, blockHash: ZERO_HASH }),
  ]),
];

describe('decoders of consensus messages and log records', () => {
  it(
    '[31][32] take their own encodings, and answer arbitrary bytes with a refusal or a value of these bytes',
    {
      ...FUZZ_TIMEOUT,
    },
    () => checkSubjects(subjects, 80),
  );

  it('[32] answer changed encodings with a refusal or a value of these bytes', { ...FUZZ_TIMEOUT }, () =>
    checkMutants(subjects, 400),
  );

  it(
    '[97] neither wrap nor allocate at lengths and heights of 2^31, 2^32 - 1, 2^53 and 2^64',
    {
      ...FUZZ_TIMEOUT,
    },
    () => checkEdges(subjects, 24),
  );
});
