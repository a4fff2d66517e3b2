// Predictions for consortia of several sizes: saturation, and latency at parts of it.
import { explain } from './explain.mjs';
import { simulate } from './simulate.mjs';

export const SIZES = [4, 7, 10, 16, 31, 64, 100];

/** Between two nodes: one way, the largest addition to it, and what each node's line carries. */
export const NETWORKS = {
  LAN: { delayUs: 100, jitter: 0.2, bytesPerSecond: 1e9 / 8 },
  WAN: { delayUs: 40_000, jitter: 0.1, bytesPerSecond: 200e6 / 8 },
};

/** A closed loop of so many clients saturates; twice as many as long as that carries more, and no more than a member's pool holds. */
const CLIENTS_LEAST = 256;
const CLIENTS_MOST = 32_768;
const WORTH_IT = 1.05;
const LATENCY_PARTS = [0.1, 0.5];
/** Large consortia take long to work out: fewer blocks of them. */
const BLOCKS_MOST = 40;
const BLOCKS_LEAST = 12;

function lengthOf(nodes) {
  const blocks = Math.max(BLOCKS_LEAST, Math.min(BLOCKS_MOST, Math.round(800 / nodes)));
  return { warmUpBlocks: Math.ceil(blocks / 4), blocks, secondsMin: nodes > 32 ? 0.5 : 1 };
}

/** The run with the highest throughput. More clients than that only wait, until views end for it. */
function saturate(core, prices, options) {
  let best = simulate(core, prices, { ...options, clients: CLIENTS_LEAST });
  for (let clients = 2 * CLIENTS_LEAST; clients < CLIENTS_MOST; clients *= 2) {
    const more = simulate(core, prices, { ...options, clients });
    // not a number where nothing was committed at all
    if (!(more.perSecond >= best.perSecond * WORTH_IT)) break;
    best = more;
  }
  return best;
}

/**
 * @param options sizes, networks (names), signatures, cores of each node, seed
 * @param said told what is worked out
 */
export function predict(core, prices, { sizes, networks, signatures, cores, seed }, said = () => {}) {
  const predictions = [];
  for (const name of networks) {
    for (const nodes of sizes) {
      said(`${name}, ${nodes} nodes`);
      const machine = { shared: false, cores };
      const options = { nodes, network: NETWORKS[name], machine, signatures, seed, ...lengthOf(nodes) };
      const saturated = saturate(core, prices, options);
      const at = LATENCY_PARTS.map(part => {
        const rate = saturated.perSecond * part;
        const { p50Ms, p99Ms, transactionsPerBlock, viewChanges } = simulate(core, prices, {
          ...options,
          rate,
        });
        return { part, rate, p50Ms, p99Ms, transactionsPerBlock, viewChanges };
      });
      const { perSecond, transactionsPerBlock, processorUs, wireBytes, viewChanges } = saturated;
      predictions.push({
        ...{ network: name, nodes, perSecond, transactionsPerBlock, processorUs, wireBytes, viewChanges },
        ...{ at, ...explain(saturated) },
      });
    }
  }
  return predictions;
}
