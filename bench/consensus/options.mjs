// What `phaseline bench consensus` takes, and what is wrong with it.
import { parseArgs } from 'node:util';

const NODES_MAX = 16;
const RATE_MAX = 1_000_000;
const SECONDS_MAX = 86_400;
const PARTS = ['ceilings', 'load', 'idle', 'tenth'];

export class UsageError extends Error {}

const TEXTS = {
  nodes: '4',
  'payload-bytes': '250',
  signatures: 'each',
  rate: null,
  clients: null,
  seconds: '10',
  'warm-up': '3',
  repeat: '1',
  curve: null,
  to: 'all',
  only: null,
  'kill-leader-at': null,
  'dead-replica': null,
  slow: null,
  partition: null,
  'delay-ms': null,
  loss: null,
  'event-log': null,
  compare: null,
  json: null,
  markdown: null,
  svg: null,
  profile: null,
  dir: null,
  main: null,
};
const FLAGS = ['dead-replica'];
/** Clients of a closed loop where neither these nor a rate are given: enough to fill blocks, few enough to wait little. */
const CLIENTS_DEFAULT = 1_024;

function whole(name, text, least, most) {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`--${name} ${text}: a whole number from ${least} to ${most} is wanted`);
}

function decimal(name, text, least, most) {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`--${name} ${text}: a number from ${least} to ${most} is wanted`);
}

/** `4`, `4@5-10`: a node, and from when to when in seconds of the measurement; the whole of it where no times are given. */
function span(name, text, { nodes, seconds }) {
  const match = /^(\d+)(?:@(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?))?$/.exec(text);
  if (match === null)
    throw new UsageError(
      `--${name} ${text}: NODE or NODE@FROM-TO is wanted, such as 4@5-10 (seconds of the measurement)`,
    );
  const node = whole(name, match[1], 1, nodes);
  const fromS = match[2] === undefined ? 0 : Number(match[2]);
  const toS = match[3] === undefined ? seconds : Number(match[3]);
  if (toS <= fromS || toS > seconds)
    throw new UsageError(`--${name} ${text}: the times must go up and lie within --seconds ${seconds}`);
  return { node, fromS, toS };
}

function oneOf(name, text, allowed) {
  if (allowed.includes(text)) return text;
  throw new UsageError(`--${name} ${text}: one of ${allowed.join(', ')} is wanted`);
}

function curveOf(text) {
  if (text === null) return null;
  if (text === 'auto') return 'auto';
  return text.split(',').map(rate => whole('curve', rate, 1, RATE_MAX));
}

function targetOf(text, nodes) {
  if (text === 'all') return 'all';
  const match = /^node-(\d+)$/.exec(text);
  if (match !== null && Number(match[1]) >= 1 && Number(match[1]) <= nodes) return text;
  throw new UsageError(`--to ${text}: "all" or a node from node-1 to node-${nodes} is wanted`);
}

function checkTogether(options) {
  const { nodes, rate, clients, curve, killLeaderAtS, partition, deadReplica, loss, delayMs } = options;
  if (rate !== null && clients !== null)
    throw new UsageError('--rate is an open loop and --clients a closed one: give one of them');
  if (curve !== null && (rate !== null || clients !== null || killLeaderAtS !== null))
    throw new UsageError(
      '--curve sets the rates itself: give neither --rate, --clients nor --kill-leader-at with it',
    );
  if (options.repeat > 1 && (curve !== null || killLeaderAtS !== null))
    throw new UsageError(
      '--repeat measures the same load again: give neither --curve nor --kill-leader-at with it',
    );
  const least = 4;
  const needsOthers = killLeaderAtS !== null || deadReplica || partition !== null;
  if (needsOthers && nodes < least)
    throw new UsageError(`with ${nodes} nodes none may be missing: a fault needs --nodes ${least} or more`);
  if (loss > 0 && nodes === 1 && delayMs === 0)
    throw new UsageError('--loss has no effect on one node: give --nodes 4');
}

/**
 * @param words as given on the command line
 * @throws UsageError that names the option, what was given and what is wanted
 */
export function readOptions(words) {
  let given;
  try {
    const flagOrText = name => ({ type: FLAGS.includes(name) ? 'boolean' : 'string' });
    const options = Object.fromEntries(Object.keys(TEXTS).map(name => [name, flagOrText(name)]));
    given = parseArgs({ args: words, options }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
  const values = { ...TEXTS, ...given };
  const orNull = (name, read) => (values[name] === null ? null : read(values[name]));
  const nodes = whole('nodes', values.nodes, 1, NODES_MAX);
  const seconds = whole('seconds', values.seconds, 1, SECONDS_MAX);
  const spanOf = name => orNull(name, text => span(name, text, { nodes, seconds }));
  const only = values.only === null ? PARTS : values.only.split(',').map(part => oneOf('only', part, PARTS));
  const options = {
    nodes,
    payloadBytes: whole('payload-bytes', values['payload-bytes'], 0, 500_000),
    signatures: oneOf('signatures', values.signatures, ['each', 'batch']),
    rate: orNull('rate', text => whole('rate', text, 1, RATE_MAX)),
    clients: orNull('clients', text => whole('clients', text, 1, 30_000)),
    seconds,
    warmUpS: whole('warm-up', values['warm-up'], 1, 600),
    repeat: whole('repeat', values.repeat, 1, 10_000),
    curve: curveOf(values.curve),
    to: targetOf(values.to, nodes),
    only,
    killLeaderAtS: orNull('kill-leader-at', text => decimal('kill-leader-at', text, 0, seconds)),
    deadReplica: values['dead-replica'] === true,
    slow: spanOf('slow'),
    partition: spanOf('partition'),
    delayMs: orNull('delay-ms', text => decimal('delay-ms', text, 0, 10_000)) ?? 0,
    loss: orNull('loss', text => decimal('loss', text, 0, 50)) ?? 0,
    eventLog: values['event-log'],
    files: { compare: values.compare, json: values.json, markdown: values.markdown, svg: values.svg },
    ...{ profile: values.profile, dir: values.dir, main: values.main },
  };
  checkTogether(options);
  if (options.rate === null && options.clients === null) options.clients = CLIENTS_DEFAULT;
  return options;
}
