import type { Quality } from '../network/direction.ts';
import type { Draws } from '../random.ts';
import { anyConsensus, anyNode, type Nemesis, type Shape, type Stage, seconds } from './stage.ts';

const GARBLED_CHUNKS = 20;

function others(stage: Stage, name: string): string[] {
  return stage.network.nodes.map(node => node.name).filter(other => other !== name);
}

/** Cuts every path between the groups; nodes of no group keep all of theirs. */
function separate(stage: Stage, groups: readonly (readonly string[])[]): void {
  for (const group of groups) {
    for (const other of groups) {
      if (group === other) continue;
      for (const from of group) for (const to of other) stage.network.links.cut(from, to);
    }
  }
}

const isolate: Nemesis = {
  name: 'isolate',
  title: '[45] [61] one node is cut off from everybody',
  draw: (draws, shape) => {
    const target = anyNode(draws, shape);
    const cutMs = draws.between(2_000, 15_000);
    return {
      words: `cut ${target} off from everybody for ${seconds(cutMs)}`,
      run: async stage => {
        const { name } = await stage.node(target);
        separate(stage, [[name], others(stage, name)]);
        await stage.sleep(cutMs);
        return name;
      },
    };
  },
};

/** With a quorum on one side, or on none. */
const partition: Nemesis = {
  name: 'partition',
  title: '[35] [61] the network is parted, with and without a quorum on one side',
  draw: (draws, shape) => {
    const order = draws.shuffled(shape.consensus);
    const smaller = draws.between(1, Math.floor(order.length / 2));
    const [one, other] = [order.slice(0, smaller), order.slice(smaller)];
    const withOne = draws.shuffled(shape.participants).slice(0, draws.between(0, shape.participants.length));
    const cutMs = draws.between(4_000, 12_000);
    const quorum = smaller <= shape.faultyMax ? 'a quorum is left' : 'no quorum is left';
    return {
      words: `part ${[...one, ...withOne].join(' ')} from the rest for ${seconds(cutMs)} (${quorum})`,
      run: async stage => {
        const rest = stage.network.nodes.map(node => node.name);
        const near = [...one, ...withOne];
        const far = rest.filter(name => !near.includes(name));
        if (!other.every(name => far.includes(name))) throw new Error('the sides overlap');
        separate(stage, [near, far]);
        await stage.sleep(cutMs);
        return null;
      },
    };
  },
};

const oneWay: Nemesis = {
  name: 'one-way',
  title: '[62] a validator only sends, or only receives',
  draw: (draws, shape) => {
    const target = anyConsensus(draws, shape);
    const sends = draws.fraction() < 0.5;
    const cutMs = draws.between(4_000, 12_000);
    return {
      words: `${target} only ${sends ? 'sends' : 'receives'} for ${seconds(cutMs)}`,
      run: async stage => {
        const { name } = await stage.node(target);
        for (const other of others(stage, name)) {
          if (sends) stage.network.links.cut(other, name);
          else stage.network.links.cut(name, other);
        }
        await stage.sleep(cutMs);
        return name;
      },
    };
  },
};

/** Some ordered pairs of consensus nodes, any. */
const holes: Nemesis = {
  name: 'holes',
  title: '[61] [62] some pairs of validators do not hear each other, in one direction or both',
  draw: (draws, shape) => {
    const pairs = shape.consensus.flatMap(from =>
      shape.consensus.filter(to => to !== from && draws.fraction() < 0.2).map(to => [from, to] as const),
    );
    const cutMs = draws.between(4_000, 10_000);
    return {
      words: `cut ${pairs.map(pair => pair.join('→')).join(' ') || 'nothing'} for ${seconds(cutMs)}`,
      run: async stage => {
        for (const [from, to] of pairs) stage.network.links.cut(from, to);
        await stage.sleep(cutMs);
        return null;
      },
    };
  },
};

export function drawQuality(draws: Draws): { words: string; quality: Partial<Quality> } {
  return draws.pick([
    { words: '20 to 60 ms later', quality: { delayMs: 20, jitterMs: 40 } },
    { words: '100 to 150 ms later', quality: { delayMs: 100, jitterMs: 50 } },
    { words: 'with 2 % lost and sent again after 200 ms', quality: { lossChance: 0.02, resendMs: 200 } },
    { words: 'with 10 % lost and sent again after 300 ms', quality: { lossChance: 0.1, resendMs: 300 } },
    { words: 'at 128 KiB/s', quality: { bytesPerSecond: 128 << 10 } },
  ]);
}

const slow: Nemesis = {
  name: 'slow',
  title: '[25] [63] what one or all send arrives late, with losses, or over a thin line',
  draw: (draws, shape) => {
    const target = draws.fraction() < 0.5 ? null : anyConsensus(draws, shape);
    const { words, quality } = drawQuality(draws);
    const slowMs = draws.between(5_000, 12_000);
    return {
      words: `what ${target ?? 'everybody'} sends arrives ${words}, for ${seconds(slowMs)}`,
      run: async stage => {
        const senders = target === null ? stage.network.nodes : [await stage.node(target)];
        for (const { name } of senders)
          for (const other of others(stage, name)) stage.network.links.setQuality(name, other, quality);
        await stage.sleep(slowMs);
        return target === null ? null : (senders[0]?.name ?? null);
      },
    };
  },
};

function drawPair(draws: Draws, shape: Shape): readonly [string, string] {
  const [one, other] = draws.shuffled([...shape.consensus, ...shape.participants]);
  return [one!, other!];
}

const reset: Nemesis = {
  name: 'reset',
  title: '[63] connections break again and again',
  draw: (draws, shape) => {
    const steps = Array.from({ length: draws.between(10, 40) }, () => ({
      pair: drawPair(draws, shape),
      waitMs: draws.between(20, 400),
    }));
    return {
      words: `break the connections of ${steps.length} pairs, one after the other`,
      run: async stage => {
        for (const { pair, waitMs } of steps) {
          stage.network.links.reset(...pair);
          await stage.sleep(waitMs);
        }
        return null;
      },
    };
  },
};

const garble: Nemesis = {
  name: 'garble',
  title: '[32] bits are turned on the way, below the encryption',
  draw: (draws, shape) => {
    const pairs = Array.from({ length: GARBLED_CHUNKS }, () => drawPair(draws, shape));
    return {
      words: `turn one bit on the way, ${pairs.length} times`,
      run: async stage => {
        for (const [from, to] of pairs) {
          stage.network.links.direction(from, to).garbleNext();
          await stage.sleep(200);
        }
        return null;
      },
    };
  },
};

export const PATH_NEMESES: readonly Nemesis[] = [isolate, partition, oneWay, holes, slow, reset, garble];
