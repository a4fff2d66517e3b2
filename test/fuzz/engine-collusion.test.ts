import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assert } from '../../src/core/base/assert.ts';
import { type Hash, ZERO_HASH } from '../../src/core/base/ids.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import { ENGINE_LIMITS } from '../../src/core/pbft/config.ts';
import type {
  ConsensusMessage,
  MessageContent,
  PreparedProof,
  ShownHead,
  ViewChange,
} from '../../src/core/pbft/messages.ts';
import { chooseWindow } from '../../src/core/pbft/new-view-window.ts';
import type { Block } from '../../src/core/types/chain.ts';
import { PARAMETERS, suite } from '../unit/pbft/kit.ts';
import { Shell } from './engine-shell.ts';
import { EngineWorld } from './engine-world.ts';
import { announce, FUZZ_TIMEOUT, fuzz } from './kit.ts';

announce('engine-collusion.test');

// Everybody else colludes: each message is well signed, every certificate that n - 1 can make exists, for any block of any
// view. Agreement is lost then, and the engine may stop for good; it must not crash, hang or grow.

const WORLDS = [
  { n: 4, own: 2, hostile: [0, 1, 3] },
  { n: 4, own: 0, hostile: [1, 2, 3] },
  { n: 7, own: 3, hostile: [0, 1, 2, 4, 5, 6] },
].map(seats => new EngineWorld(seats));

type Step = readonly [kind: number, a: number, b: number, c: number];

const pick = <T>(items: readonly T[], choice: number): T => items[choice % items.length]!;
const EDGES = [2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER];
const VIEWS = 6;
const viewOf = (choice: number) => (choice % 11 === 0 ? pick(EDGES, choice >> 4) : choice % VIEWS);
const heightOf = (choice: number) => (choice % 5 === 0 ? pick(EDGES, choice >> 4) : choice % 12);
const listOf = (n: number, bits: number) =>
  Array.from({ length: n }, (_, index) => index).filter(index => (bits >> index) % 2 === 1);

/** A certificate by everybody but the engine: over any block, in any view, under any digest. */
function proof(world: EngineWorld, kind: 'prepare' | 'commit', block: Block, view: number, digest: Hash) {
  const { consortium } = world;
  const blockHash = headerHash(suite.sha256, block.header);
  return world.once(`${kind} ${blockHash} ${view} ${digest}`, () => ({
    header: block.header,
    certificate: {
      validatorSetId: 0,
      view,
      newViewDigest: digest,
      height: block.header.height,
      blockHash,
      signatures: world.signers().map(signer => ({
        signer,
        signature: consortium.vote(signer, kind, block, view, digest).signed.signature,
      })),
    },
  }));
}

function digestOf({ engine }: Shell, choice: number): Hash {
  return choice % 3 === 0 ? ZERO_HASH : engine.digest;
}

function headOf(world: EngineWorld, choice: number): ShownHead {
  if (choice % 4 !== 0) return { header: world.consortium.genesis, certificate: null };
  return proof(world, 'commit', pick(world.blocks, choice >> 2), (choice >> 5) % VIEWS, ZERO_HASH);
}

function preparedOf(world: EngineWorld, above: number, below: number, choice: number): PreparedProof[] {
  const blocks = listOf(world.blocks.length, choice).map(index => world.blocks[index]!);
  const byHeight = new Map(blocks.map(block => [block.header.height, block]));
  return [...byHeight.values()]
    .filter(({ header }) => header.height > above)
    .sort((x, y) => x.header.height - y.header.height)
    .map(block =>
      proof(world, 'prepare', block, (choice >> 3) % Math.max(1, Math.min(below, VIEWS)), ZERO_HASH),
    );
}

function viewChangeOf(world: EngineWorld, view: number, a: number, b: number): ViewChange {
  const head = headOf(world, a);
  return { kind: 'viewChange', view, head, prepared: preparedOf(world, head.header.height, view, b) };
}

function contentOf(world: EngineWorld, shell: Shell, [, a, b, c]: Step): MessageContent {
  const { consortium } = world;
  const view = c % 3 === 0 ? shell.engine.view : viewOf(b);
  const block = pick(world.blocks, a);
  const blockHash = headerHash(suite.sha256, block.header);
  const newViewDigest = digestOf(shell, c >> 3);
  switch (c % 9) {
    case 0:
      return { kind: 'prePrepare', view, newViewDigest, block };
    case 1:
    case 2: {
      const height = a % 5 === 0 ? heightOf(a >> 3) : block.header.height;
      return { kind: c % 9 === 1 ? 'prepare' : 'commit', view, newViewDigest, height, blockHash };
    }
    case 3:
      return { kind: 'checkpoint', height: a % 2 === 0 ? heightOf(a) : block.header.height, blockHash };
    case 4:
      return viewChangeOf(world, Math.max(1, view), a, b);
    case 5:
    case 6: {
      const viewChanges = world.signers().map((signer, at) => {
        const content = viewChangeOf(world, Math.max(1, view), a >> at, b >> at);
        return consortium.sign(signer, content);
      });
      const { blocks } = chooseWindow(
        suite.sha256,
        viewChanges.map(({ content }) => content),
      );
      const window = blocks.map(({ hash }) => hash);
      return {
        kind: 'newView',
        view: Math.max(1, view),
        viewChanges: viewChanges.map(({ signed }) => signed),
        window,
      };
    }
    case 7: {
      const rest = { acceptedHeight: heightOf(a), stableHeight: heightOf(b), reply: a % 2 === 0 };
      return { kind: 'status', view, active: b % 2 === 0, head: headOf(world, b), ...rest };
    }
    default:
      return {
        kind: 'complaint',
        view,
        height: heightOf(a),
        lasting: a % 2 === 0,
        gone: listOf(world.seats.n, b),
      };
  }
}

function messageOf(world: EngineWorld, shell: Shell, step: Step): ConsensusMessage | null {
  const content = contentOf(world, shell, step);
  const { n, own } = world.seats;
  const primaryOnly = content.kind === 'prePrepare' || content.kind === 'newView';
  const signer = primaryOnly ? content.view % n : pick(world.seats.hostile, step[1] + step[2]);
  if (signer === own) return null;
  const message = world.consortium.sign(signer, content);
  return world.verifies(message) ? message : null;
}

/** @returns whether a message was taken */
function take(world: EngineWorld, shell: Shell, step: Step): boolean {
  const [kind, a, b] = step;
  const { n } = world.seats;
  const inputs: Record<number, () => void> = {
    0: () => shell.settle(),
    1: () => shell.flush(),
    2: () => shell.execute(a),
    3: () => shell.commit(),
    4: () => shell.fire(a),
    5: () => shell.build(a),
    6: () => shell.give({ type: 'pending', waiting: a % 4 !== 0 }),
    7: () => shell.give({ type: 'fetched', block: pick(world.blocks, a) }),
    8: () => shell.give({ type: 'connected', peerId: `peer-${a % n}` }),
    9: () => shell.give({ type: 'unreachable', peerIds: listOf(n, a).map(index => `peer-${index}`) }),
    10: () => shell.give({ type: 'otherSet', validatorSetId: heightOf(a), peerId: `peer-${b % n}` }),
    11: () => shell.give({ type: 'complain' }),
  };
  const give = inputs[kind];
  if (give !== undefined) {
    give();
    return false;
  }
  const message = messageOf(world, shell, step);
  if (message !== null) shell.give({ type: 'message', message });
  return message !== null;
}

const steps = fc.array<Step>(fc.tuple(fc.nat(35), fc.nat(), fc.nat(), fc.nat()), {
  minLength: 40,
  maxLength: 200,
  size: 'max',
});

describe('the engine when everybody else colludes', () => {
  it('[36][70][97] takes whatever they sign: no assertion, no hang, bounded', { ...FUZZ_TIMEOUT }, () => {
    const reached = { taken: 0, views: 0 };
    fuzz(
      10,
      fc.property(fc.nat(WORLDS.length - 1), steps, (which, plan) => {
        const world = pick(WORLDS, which);
        const shell = new Shell(world, false);
        for (const step of plan) if (!shell.halted && take(world, shell, step)) reached.taken += 1;
        reached.views += shell.engine.view;
      }),
    );
    expect(reached.taken).toBeGreaterThan(0);
    expect(reached.views).toBeGreaterThan(0);
  });

  it('[70] keeps a share for each signer and no more, however many messages of later views and heights come', () => {
    const world = pick(WORLDS, 0);
    const { consortium } = world;
    const shell = new Shell(world, false);
    const [block] = world.chain;
    assert(block !== undefined, 'there is a chain');
    const blockHash = headerHash(suite.sha256, block.header);
    for (let count = 0; count < 400; count += 1) {
      for (const signer of world.seats.hostile) {
        const kind = count % 2 === 0 ? 'prepare' : 'commit';
        const far = { kind, view: 1 + (count % 50), newViewDigest: ZERO_HASH, blockHash } as const;
        const height = count % 3 === 0 ? Number.MAX_SAFE_INTEGER - count : 1 + (count % 90);
        shell.give({ type: 'message', message: consortium.sign(signer, { ...far, height }) });
        const checkpoint = { kind: 'checkpoint', height: 1 + count * 1000, blockHash } as const;
        shell.give({ type: 'message', message: consortium.sign(signer, checkpoint) });
        const complaint = {
          kind: 'complaint',
          view: count,
          height: 0,
          lasting: true,
          gone: [0, 1, 2, 3],
        } as const;
        if (signer === 0) shell.give({ type: 'message', message: consortium.sign(signer, complaint) });
      }
    }
    const share = ENGINE_LIMITS.futurePerSignerWindows * PARAMETERS.windowBlocks;
    expect(shell.engine.future.count).toBe(share * world.seats.hostile.length);
    expect(shell.engine.view).toBe(0);
  });
});
