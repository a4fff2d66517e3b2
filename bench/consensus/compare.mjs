// One result against an earlier one: ratios, and what makes them doubtful.
import { readFileSync } from 'node:fs';
import { UsageError } from './options.mjs';

const STEPS = ['load', 'last', 'idle', 'tenth', 'dead'];
const FIELDS = [
  ['node processor µs / committed', step => step.processorUs],
  ['committed / s', step => step.perSecond],
  ['latency p50 ms', step => step.latency?.p50Ms],
  ['latency p99 ms', step => step.latency?.p99Ms],
  ['bytes between nodes / committed', step => step.wireBytes],
  ['bytes kept on disk / committed', step => step.keptBytes],
];
const SAME = ['payloadBytes', 'signatures', 'rate', 'clients', 'seconds', 'delayMs', 'loss'];

/** @throws UsageError for a file that is no result of this benchmark */
export function readResult(path) {
  let result;
  try {
    result = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`--compare ${path}: cannot be read (${error.code ?? 'not JSON'})`);
  }
  if (result?.kind !== 'consensus' || result.version !== 1) {
    throw new UsageError(`--compare ${path}: is no result of bench consensus, as --json FILE writes it`);
  }
  return result;
}

const known = value => typeof value === 'number' && value > 0;

function pairs(now, before) {
  const steps = STEPS.flatMap(name => (now[name] && before[name] ? [[name, now[name], before[name]]] : []));
  const points = (now.curve?.points ?? []).flatMap(point => {
    const other = before.curve?.points.find(({ rate }) => rate === point.rate);
    return other === undefined ? [] : [[`${point.rate}/s`, point, other]];
  });
  return [...steps, ...points];
}

export function compare(now, before) {
  const rows = pairs(now, before).flatMap(([name, step, other]) =>
    FIELDS.flatMap(([what, read]) => {
      const [a, b] = [read(other), read(step)];
      return known(a) && known(b) ? [{ what: `${name}: ${what}`, before: a, now: b, ratio: b / a }] : [];
    }),
  );
  const differing = SAME.filter(name => now.parameters[name] !== before.parameters[name]);
  const warnings = differing.map(
    name => `not the same: ${name} was ${before.parameters[name]}, is ${now.parameters[name]}`,
  );
  if (now.environment.processors !== before.environment.processors)
    warnings.push(`another machine: ${before.environment.processors}`);
  const ceilings = [now.ceilings, before.ceilings].map(each => each?.verify.processorUs);
  if (ceilings.every(known)) {
    const [is, was] = ceilings;
    rows.unshift({ what: 'processor µs of one verification', before: was, now: is, ratio: is / was });
  }
  return { commit: before.environment.commit, rows: [...rows, ...scaleRows(now, before)], warnings };
}

/** Throughput in processor terms with more nodes against fewer: what a transaction cost then, by what it costs now. */
function scaleRows(now, before) {
  const [a, b] = [before.load?.processorUs, now.load?.processorUs];
  if (now.parameters.nodes === before.parameters.nodes || !known(a) || !known(b)) return [];
  const what = `throughput by processor time, ${now.parameters.nodes} nodes / ${before.parameters.nodes} nodes`;
  return [{ what, before: 1e6 / a, now: 1e6 / b, ratio: a / b }];
}
