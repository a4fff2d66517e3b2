import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Hash, ZERO_HASH } from '../../src/core/base/ids.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import type { ConsensusMessage, MessageContent } from '../../src/core/pbft/messages.ts';
import { suite } from '../unit/pbft/kit.ts';
import { Shell } from './engine-shell.ts';
import { EngineWorld, VIEWS } from './engine-world.ts';
import { announce, FUZZ_TIMEOUT, fuzz } from './kit.ts';

announce('engine.test');

/** With others, of whom f are hostile. */
const WORLDS = [
  new EngineWorld({ n: 4, own: 2, hostile: [0] }),
  new EngineWorld({ n: 4, own: 0, hostile: [1] }),
  new EngineWorld({ n: 4, own: 3, hostile: [2] }),
  new EngineWorld({ n: 7, own: 1, hostile: [0, 3] }),
  new EngineWorld({ n: 4, own: -1, hostile: [3] }),
  new EngineWorld({ n: 4, own: 1, hostile: [2] }, { rotationBlocks: 2 }),
  // the set loses its last member, which is hostile, or the node itself, which goes on as an observer
  new EngineWorld({ n: 5, own: 1, hostile: [4] }, { next: { n: 4, own: 1, hostile: [0] } }),
  new EngineWorld({ n: 5, own: 4, hostile: [2] }, { next: { n: 4, own: -1, hostile: [2] } }),
];
/** Alone, and alone with an observer. */
const ALONE = [
  new EngineWorld({ n: 1, own: 0, hostile: [] }),
  new EngineWorld({ n: 1, own: 0, hostile: [] }, { rotationBlocks: 1 }),
  new EngineWorld({ n: 1, own: -1, hostile: [] }),
  new EngineWorld({ n: 2, own: 0, hostile: [] }, { next: { n: 1, own: 0, hostile: [] } }),
];

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
  /** Of the present set. */
  readonly world: EngineWorld;
  readonly shell: Shell;
  /** Nobody asks for more than this view, but for absurd ones: in some runs the first view lasts. */
  readonly viewMost: number;
  /** Honest validators say nothing. */
  readonly alone: boolean;
}

function runIn(world: EngineWorld, viewMost: number, alone: boolean): Run {
  const shell = new Shell(world);
  return {
    shell,
    viewMost,
    alone,
    get world() {
      return shell.world;
    },
  };
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
  const [liar] = seats.hostile;
  switch (c % 8) {
    case 0:
      if (liar !== undefined) return consortium.viewChange(liar, asked, [], world.head(0, 0));
      return world.viewChange(signer, asked);
    case 1:
      return world.viewChange(signer, asked);
    case 2:
      return view === 0 ? consortium.proposal(block) : world.newView(view);
    case 3: {
      const at = Math.max(2, height - (height % 2));
      const { header } = world.blockAt(at) ?? block;
      const content = {
        kind: 'checkpoint',
        height: header.height,
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
  const height = numberOf(a >> 3, world.consortium.genesis.height + world.chain.length + 8);
  const blockHash = headerHash(suite.sha256, block.header);
  const shown = alone ? 0 : (a >> 2) % (world.chain.length + 1);
  const head = world.head(shown, 0);
  const above = world.chain
    .slice(alone ? world.chain.length : shown)
    .map((_, index) => world.prepared(shown + index + 1, 0));
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
  const block = world.blockAt(shell.engine.head.header.height + 1);
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
      if (world.seats.hostile.length > 0) receive(run, hostileMessage(run, step));
      break;
    case 16:
      wholeHeight(run, step);
      break;
    default:
      // a message may bring in another set, in which others are honest
      for (let count = 0; count <= c % (world.honest.length + 1); count += 1)
        if (run.world.honest.length > 0) receive(run, honestMessage(run, [kind, a + count, b, c]));
  }
}

const steps = fc.array<Step>(fc.tuple(fc.nat(23), fc.nat(), fc.nat(), fc.nat()), {
  minLength: 40,
  maxLength: 160,
  size: 'max',
});

/** Takes all steps, and then lets everything settle: only what honest validators voted for is committed. */
function play(run: Run, plan: readonly Step[]): void {
  const first = run.world;
  for (const step of plan) take(run, step);
  for (let round = 0; round < 200; round += 1) run.shell.settle();
  for (const [height, hash] of run.shell.committed) {
    const block = first.blockAt(height) ?? first.next?.blockAt(height);
    expect(hash).toBe(headerHash(suite.sha256, block!.header));
  }
}

describe('the engine among hostile validators', () => {
  it('[6][29][33][41][55][70] takes any messages and inputs in any order: no assertion, bounded, no commit without a quorum', {
    ...FUZZ_TIMEOUT,
  }, () => {
    const worlds = [...WORLDS, ...ALONE];
    const reached = { committed: 0, views: 0, sets: 0 };
    fuzz(
      80,
      fc.property(fc.nat(worlds.length * (VIEWS + 1) - 1), steps, (which, plan) => {
        const run = runIn(pick(worlds, which), Math.floor(which / worlds.length), false);
        play(run, plan);
        reached.committed += run.shell.committed.size;
        reached.views += run.shell.engine.view;
        reached.sets += run.world.consortium.set.id;
      }),
    );
    // the generator reaches what it is meant to reach
    for (const count of Object.values(reached)) expect(count).toBeGreaterThan(0);
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
          const run = runIn(pick(WORLDS, Math.floor(which / (VIEWS + 1))), which % (VIEWS + 1), true);
          for (const [kind, ...rest] of plan) take(run, [kind > 12 ? 13 : kind === 10 ? 0 : kind, ...rest]);
          expect([...run.shell.committed]).toEqual([]);
        }),
      ),
  );
});
