// The model against real runs of `phaseline bench consensus`: the same load on one machine, predicted and measured.
import { simulate } from './simulate.mjs';

/** One way between two processes of a machine. */
const LOOPBACK_US = 30;
const LOOPBACK_BYTES_PER_SECOND = 1e10;
const IDLE_BLOCKS = 30;

export class ResultError extends Error {}

function checkResult(result, path, processors) {
  const { kind, parameters, environment } = result;
  if (kind !== 'consensus') throw new ResultError(`${path} is no result of phaseline bench consensus`);
  if (environment.processors !== processors)
    throw new ResultError(`${path} was measured on ${environment.processors}, the prices on ${processors}`);
  const faulty = ['killLeaderAtS', 'slow', 'partition'].find(name => parameters[name] !== null);
  if (faulty !== undefined)
    throw new ResultError(`${path} was measured with faults, which the model leaves out`);
}

function optionsOf({ parameters, environment }) {
  const { nodes, delayMs, signatures } = parameters;
  const network = {
    ...{ delayUs: delayMs > 0 ? delayMs * 1000 : LOOPBACK_US, jitter: 0 },
    bytesPerSecond: LOOPBACK_BYTES_PER_SECOND,
  };
  const machine = { shared: true, cores: Number(environment.processors.split(' ')[0]) };
  return { nodes, network, machine, signatures, seed: 1, warmUpBlocks: 10, blocks: 40, secondsMin: 1 };
}

function row(what, unit, predicted, measured) {
  const errorPercent = measured === null || measured === 0 ? null : 100 * (predicted / measured - 1);
  return { what, unit, predicted, measured, errorPercent };
}

/**
 * @param measured the result of the benchmark, where it was read (`path`), and the processors that the prices are of
 * @returns rows of predicted and measured
 */
export function validate(core, prices, { result, path, processors }) {
  checkResult(result, path, processors);
  const options = optionsOf(result);
  const rows = [];
  const compare = (name, step, load, blocks) => {
    if (step === null || step === undefined || step.latency === null) return;
    const run = simulate(core, prices, { ...options, ...load, ...blocks });
    if (load.rate === undefined) rows.push(row(`${name}: committed`, '/s', run.perSecond, step.perSecond));
    rows.push(row(`${name}: p50`, 'ms', run.p50Ms, step.latency.p50Ms));
    if (step.processorUs !== null)
      rows.push(row(`${name}: processor time of all nodes`, 'µs', run.processorUs, step.processorUs));
    if (step.busy != null) {
      const measured = step.busy.processors + step.busy.load;
      rows.push(row(`${name}: processors in use`, '', run.busy.machine[0] * options.machine.cores, measured));
    }
    if (step.wireBytes !== null)
      rows.push(row(`${name}: bytes between nodes`, 'B', run.wireBytes, step.wireBytes));
    rows.push(
      row(`${name}: transactions in a block`, '', run.transactionsPerBlock, step.transactionsPerBlock),
    );
  };
  const { idle, load, tenth, curve } = result;
  const { rate, clients } = load ?? {};
  compare('load', load, rate == null ? { clients } : { rate }, {});
  compare('idle', idle, { clients: 1 }, { blocks: IDLE_BLOCKS });
  compare('a tenth of it', tenth, { rate: tenth?.rate }, {});
  for (const point of curve?.points ?? []) compare(`${point.rate}/s`, point, { rate: point.rate }, {});
  return { nodes: options.nodes, path, rows };
}
