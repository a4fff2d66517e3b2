import { anyNode, type Nemesis, seconds } from './stage.ts';

const READY_TIMEOUT_MS = 60_000;

export const kill: Nemesis = {
  name: 'kill',
  title: '[8] [10] [11] one node is killed and started again',
  draw: (draws, shape) => {
    const target = anyNode(draws, shape);
    const downMs = draws.between(0, 5_000);
    return {
      words: `kill -9 ${target}, start it after ${seconds(downMs)}`,
      run: async stage => {
        const node = await stage.node(target);
        await node.kill();
        await stage.sleep(downMs);
        return node.name;
      },
    };
  },
};

const killRepeatedly: Nemesis = {
  name: 'kill-repeatedly',
  title: '[8] [10] [15] one validator is killed again and again, soon after each start',
  draw: (draws, shape) => {
    const name = draws.pick(shape.consensus);
    const livesMs = Array.from({ length: draws.between(3, 5) }, () => draws.between(100, 2_500));
    return {
      words: `kill -9 ${name} ${livesMs.length} times, each ${livesMs.map(seconds).join(', ')} after its start`,
      run: async stage => {
        const node = await stage.node(name);
        await node.kill();
        for (const lifeMs of livesMs) {
          node.start();
          await stage.sleep(lifeMs);
          await node.kill();
        }
        return null;
      },
    };
  },
};

const killAll: Nemesis = {
  name: 'kill-all',
  title: '[14] [15] [18] every validator is killed at once, and they start one after the other',
  draw: (draws, shape) => {
    const order = draws.shuffled(shape.consensus).map(name => ({ name, waitMs: draws.between(0, 1_500) }));
    return {
      words: `kill -9 every consensus node at once, start them as ${order.map(({ name }) => name).join(', ')}`,
      run: async stage => {
        await Promise.all(stage.network.consensus.map(node => node.kill()));
        for (const { name, waitMs } of order) {
          await stage.sleep(waitMs);
          stage.network.node(name).start();
        }
        return null;
      },
    };
  },
};

const restartAll: Nemesis = {
  name: 'restart-all',
  title: '[14] every validator stops in order, and all start again',
  draw: () => ({
    words: 'stop every consensus node in order, then start them all',
    run: async stage => {
      await Promise.all(stage.network.consensus.map(node => node.stop()));
      for (const node of stage.network.consensus) node.start();
      return null;
    },
  }),
};

const rollingRestart: Nemesis = {
  name: 'rolling-restart',
  title: '[14] [18] one validator after the other stops and starts',
  draw: (draws, shape) => {
    const order = draws.shuffled(shape.consensus);
    return {
      words: `stop and start one node after the other: ${order.join(', ')}`,
      run: async stage => {
        for (const name of order) {
          const node = stage.network.node(name);
          const exit = await node.stop();
          if (exit.code !== 0) throw new Error(`${name} stopped with ${exit.signal ?? exit.code}`);
          node.start();
          await node.reaches('readyz', READY_TIMEOUT_MS);
        }
        return null;
      },
    };
  },
};

export const pause: Nemesis = {
  name: 'pause',
  title: '[64] one node is frozen for up to 10 s',
  draw: (draws, shape) => {
    const target = anyNode(draws, shape);
    const pauseMs = draws.pick([500, 3_000, 10_000]);
    return {
      words: `pause ${target} for ${seconds(pauseMs)}`,
      run: async stage => {
        const node = await stage.node(target);
        node.pause();
        await stage.sleep(pauseMs);
        node.resume();
        return node.name;
      },
    };
  },
};

const pauseQuorum: Nemesis = {
  name: 'pause-all',
  title: '[64] every validator is frozen for some seconds',
  draw: draws => {
    const pauseMs = draws.between(2_000, 8_000);
    return {
      words: `pause every consensus node for ${seconds(pauseMs)}`,
      run: async stage => {
        for (const node of stage.network.consensus) node.pause();
        await stage.sleep(pauseMs);
        for (const node of stage.network.consensus) node.resume();
        return null;
      },
    };
  },
};

export const PROCESS_NEMESES: readonly Nemesis[] = [
  kill,
  killRepeatedly,
  killAll,
  restartAll,
  rollingRestart,
  pause,
  pauseQuorum,
];
