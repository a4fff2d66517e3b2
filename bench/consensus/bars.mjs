// The bar, as ratios within one run: what is asked for, what was measured, whether it is met.

const MIB = 1024 * 1024;
export const RESIDENT_BYTES_MAX = 350 * MIB;
const EACH_SHARE = 0.7;
const BATCH_VERIFICATIONS = 1.2;
const PATH_FACTOR = 2.5;
const TAIL_FACTOR = 4;
const DEAD_SHARE = 0.9;
const RECOVERED_SHARE = 0.9;
const RECOVERY_S = 2;
/** A fault shows within this time. */
const RECOVERY_LOOK_S = 5;
const STEADY_SHARE = 0.95;
const LARGE_SHARE = 0.6;
const LARGE_BYTES = 16_384;
/** A tenth of a second says little: a second of them is compared. */
const TENTHS = 10;

const percent = value => `${(100 * value).toFixed(0)} %`;
const ms = value => `${value.toFixed(2)} ms`;

/** Committed throughput against what verifying every member's signature at every node would leave, by the clock and by processor time. */
function throughputBars({ load, ceilings, parameters }) {
  if (load === null || ceilings === null || load.rate !== null) return [];
  const { nodes, signatures } = parameters;
  const { verify, processors } = ceilings;
  const ceiling = verify.allPerSecond / nodes;
  const used = load.processorUs;
  if (signatures === 'each') {
    const share = load.perSecond / ceiling;
    const rows = [
      {
        what: 'committed throughput / ceiling of signature verification',
        bar: `≥ ${percent(EACH_SHARE)}`,
        measured: `${percent(share)} (${load.perSecond.toFixed(0)} of ${verify.allPerSecond.toFixed(0)} / ${nodes} = ${ceiling.toFixed(0)} a second)`,
        met: share >= EACH_SHARE,
      },
    ];
    if (used === null) return rows;
    const pure = nodes * verify.processorUs;
    const most = (processors * 1e6) / used;
    const share2 = pure / used;
    return [
      ...rows,
      {
        what: 'the same by processor time: what verification takes / what all nodes took',
        bar: `≥ ${percent(EACH_SHARE)}`,
        measured: `${percent(share2)} (${nodes} × ${verify.processorUs.toFixed(0)} of ${used.toFixed(0)} µs a transaction; ${processors} processors at most ${most.toFixed(0)} a second)`,
        met: share2 >= EACH_SHARE,
      },
    ];
  }
  if (used === null) return [];
  const times = used / verify.processorUs;
  return [
    {
      what: 'processor time of all nodes for a transaction / one verification',
      bar: `≤ ${BATCH_VERIFICATIONS}`,
      measured: `${times.toFixed(2)} (${used.toFixed(0)} of ${verify.processorUs.toFixed(0)} µs)`,
      met: times <= BATCH_VERIFICATIONS,
    },
  ];
}

function latencyBars(what, step, criticalPath) {
  if (step === null || step.latency === null || criticalPath === null) return [];
  const { p50Ms, p99Ms } = step.latency;
  const factor = p50Ms / criticalPath.totalMs;
  return [
    {
      what: `${what}: p50 / critical path`,
      bar: `≤ ${PATH_FACTOR}`,
      measured: `${factor.toFixed(2)} (${ms(p50Ms)} of ${ms(criticalPath.totalMs)})`,
      met: factor <= PATH_FACTOR,
    },
    {
      what: `${what}: p99 / p50`,
      bar: `≤ ${TAIL_FACTOR}`,
      measured: `${(p99Ms / p50Ms).toFixed(1)} (${ms(p99Ms)})`,
      met: p99Ms / p50Ms <= TAIL_FACTOR,
    },
  ];
}

function memoryBars(steps) {
  const bytes = steps.filter(Boolean).flatMap(step => Object.values(step.residentBytesMax));
  if (bytes.length === 0) return [];
  const most = Math.max(...bytes);
  return [
    {
      what: 'largest resident memory of a node',
      bar: `< ${RESIDENT_BYTES_MAX / MIB} MiB`,
      measured: `${Math.round(most / MIB)} MiB`,
      met: most < RESIDENT_BYTES_MAX,
    },
  ];
}

const sum = values => values.reduce((a, b) => a + b, 0);
/** The last of several measurements of one load against the first. */
function steadyBars({ load, last }) {
  if (load === null || last === null) return [];
  const rows = [['throughput', last.perSecond / load.perSecond]];
  if (load.processorUs !== null)
    rows.push(['throughput by processor time', load.processorUs / last.processorUs]);
  return rows.map(([what, share]) => ({
    what: `${what} after ${last.committedBefore} records / at the start`,
    bar: `≥ ${percent(STEADY_SHARE)}`,
    measured: percent(share),
    met: share >= STEADY_SHARE,
  }));
}

function deadBars({ load, dead }) {
  if (load === null || dead === null) return [];
  const share = dead.perSecond / load.perSecond;
  return [
    {
      what: 'throughput with one replica dead',
      bar: `≥ ${percent(DEAD_SHARE)}`,
      measured: percent(share),
      met: share >= DEAD_SHARE,
    },
  ];
}

/** Where the longest time without a commit ends, of those that begin within `RECOVERY_LOOK_S`. */
function endOfSilence(tenths, at) {
  let longest = { length: 0, end: at };
  for (let from = at; from < Math.min(tenths.length, at + RECOVERY_LOOK_S * TENTHS); from += 1) {
    let end = from;
    while (end < tenths.length && tenths[end] === 0) end += 1;
    if (end - from > longest.length) longest = { length: end - from, end };
    from = Math.max(from, end);
  }
  return longest.end;
}

/**
 * Seconds from `atS` until a whole second of at least `share` of the throughput before begins, after the longest silence: what
 * piled up meanwhile would make up for it; null when there is none.
 * @param tenths committed in each tenth of a second
 */
export function recoveryS(tenths, atS, share = RECOVERED_SHARE) {
  const at = Math.round(atS * TENTHS);
  if (at < TENTHS) return null;
  const before = (sum(tenths.slice(0, at)) / at) * TENTHS;
  for (let from = endOfSilence(tenths, at); from + TENTHS <= tenths.length; from += 1) {
    if (sum(tenths.slice(from, from + TENTHS)) >= share * before) return (from - at) / TENTHS;
  }
  return null;
}

function recoveryBars({ load, parameters }) {
  if (load === null || parameters.killLeaderAtS === null) return [];
  const seconds = recoveryS(load.tenths, parameters.killLeaderAtS);
  return [
    {
      what: `throughput back to ${percent(RECOVERED_SHARE)} after the leader was killed`,
      bar: `≤ ${RECOVERY_S} s`,
      measured: seconds === null ? 'not within the run' : `${seconds.toFixed(1)} s`,
      met: seconds !== null && seconds <= RECOVERY_S,
    },
  ];
}

/** Every node but the first must receive each body: n − 1 copies, each of which takes what one stream takes. */
function largeBars({ load, ceilings, parameters }) {
  const { nodes, payloadBytes } = parameters;
  if (load === null || ceilings === null || payloadBytes !== LARGE_BYTES || nodes === 1) return [];
  const stream = ceilings.noise.bytesPerSecond;
  const copies = nodes - 1;
  const bytes = load.perSecond * payloadBytes;
  const share = (bytes * copies) / stream;
  const rate = value => `${(value / 1e6).toFixed(1)} MB/s`;
  return [
    {
      what: 'payload bytes a second / (one Noise stream / copies)',
      bar: `≥ ${percent(LARGE_SHARE)}`,
      measured: `${percent(share)} (${rate(bytes)} of ${rate(stream)} / ${copies})`,
      met: share >= LARGE_SHARE,
    },
  ];
}

/** @param result without its bars */
export function bars(result) {
  const { idle, load, last, tenth, dead, criticalPath } = result;
  return [
    ...throughputBars(result),
    ...largeBars(result),
    ...latencyBars('idle network, one transaction', idle, criticalPath),
    ...latencyBars('a tenth of the saturation', tenth, criticalPath),
    ...deadBars(result),
    ...recoveryBars(result),
    ...steadyBars(result),
    ...memoryBars([idle, load, last, tenth, dead, ...(result.curve?.points ?? [])]),
  ];
}
