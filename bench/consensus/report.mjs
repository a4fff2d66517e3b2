// The result of a consensus benchmark for people: a table for the terminal, Markdown for documents.

const MIB = 1024 * 1024;
const STEPS = [
  ['load', 'load'],
  ['last', 'the last'],
  ['idle', 'idle'],
  ['tenth', 'a tenth of it'],
  ['dead', 'one dead'],
];

const number = (value, digits = 0) => (value === null || value === undefined ? '–' : value.toFixed(digits));
const latency = (step, field) => number(step.latency?.[field], 2);

/** Rows of all measurements side by side: name, and how to read it from a step. Processor time first: it is what others' load disturbs least. */
const ROWS = [
  ['node processor µs / committed', step => number(step.processorUs)],
  ['  of it on the main threads', step => number(step.mainThreadUs)],
  ['  the most of one node', step => number(mostOf(step.processorUsByNode))],
  ['load processor µs / committed', step => number(step.loadProcessorUs)],
  ['committed / s', step => number(step.perSecond)],
  ['offered', step => number(step.offered)],
  ['accepted', step => number(step.accepted)],
  ['committed', step => number(step.committed)],
  ['failed', step => failures(step)],
  ['latency p50 ms', step => latency(step, 'p50Ms')],
  ['latency p90 ms', step => latency(step, 'p90Ms')],
  ['latency p99 ms', step => latency(step, 'p99Ms')],
  ['latency p99.9 ms', step => latency(step, 'p999Ms')],
  ['bytes between nodes / committed', step => number(step.wireBytes)],
  ['bytes of RPC / committed', step => number(step.rpcBytes)],
  ['bytes kept on disk / committed', step => number(step.keptBytes)],
  ['bytes written to disk / committed', step => number(step.writtenBytes)],
  ['resident MiB, largest node', step => number(mostOf(step.residentBytesMax) / MIB)],
  ['blocks', step => number(step.blocks)],
  ['transactions / block', step => number(step.transactionsPerBlock, 1)],
  ['view changes', step => number(step.viewChanges)],
  ['seconds', step => number(step.seconds, 1)],
];

function mostOf(byNode) {
  const values = Object.values(byNode).filter(value => value !== null);
  return values.length === 0 ? null : Math.max(...values);
}

function failures({ failed, failedBy }) {
  const reasons = Object.entries(failedBy).map(([reason, count]) => `${reason} ${count}`);
  return reasons.length === 0 ? String(failed) : `${failed} (${reasons.join(', ')})`;
}

function columns({ curve, ...result }) {
  if (curve !== null) {
    const points = curve.points.map(point => [`${point.rate}/s`, point]);
    const found = curve.saturation === null ? [] : [['saturation', curve.saturation]];
    return [...found, ...points];
  }
  return STEPS.flatMap(([field, name]) => (result[field] == null ? [] : [[name, result[field]]]));
}

export function ceilingRows(ceilings) {
  if (ceilings === null) return [];
  const { processors, verify, sign, sync, sha256, tcp, noise } = ceilings;
  return [
    [
      'P-256 verifications / s',
      `${number(verify.perSecond)} (one), ${number(verify.allPerSecond)} (${processors})`,
    ],
    ['  processor µs each', number(verify.processorUs, 1)],
    ['P-256 signatures / s', `${number(sign.perSecond)} (one), ${number(sign.allPerSecond)} (${processors})`],
    [
      'fdatasync / s',
      `${number(sync.perSecond)}; p50 ${number(sync.p50Ms, 2)} ms, p99 ${number(sync.p99Ms, 2)} ms`,
    ],
    ['SHA-256', `${number(sha256.small.perSecond)} of 64 B / s; ${number(sha256.bytesPerSecond / 1e6)} MB/s`],
    ['TCP stream', `${number(tcp.bytesPerSecond / 1e6)} MB/s; round trip ${number(tcp.roundTripMs, 3)} ms`],
    [
      'Noise stream',
      `${number(noise.bytesPerSecond / 1e6)} MB/s; round trip ${number(noise.roundTripMs, 3)} ms`,
    ],
  ];
}

function pathLines(criticalPath) {
  if (criticalPath === null) return [];
  const { steps, totalMs } = criticalPath;
  const parts = steps
    .filter(({ count }) => count > 0)
    .map(({ what, count, ms }) => `${count} × ${ms.toFixed(3)} ${what}`);
  return [`critical path of one commit: ${parts.join(' + ')} = ${totalMs.toFixed(2)} ms`];
}

const verdict = ({ met }) => (met ? 'met' : 'missed');
const barLine = one => `bar: ${one.what} ${one.bar}; measured: ${one.measured}; ${verdict(one)}`;

function conditions({ environment: on, parameters }) {
  const given = Object.entries(parameters)
    .filter(([, value]) => value !== null && value !== false && value !== 0)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  return [
    `Commit ${on.commit ?? 'unknown'}, Node ${on.node}, ${on.system}, ${on.processors}, ${on.memoryMiB} MiB; load before ${on.loadBefore ?? 'unknown'}.`,
    `Parameters: ${given.join(', ')}.`,
  ];
}

function generatorLines(result) {
  const made = columns(result).flatMap(([, { generated }]) => (generated === null ? [] : [generated]));
  if (made.length === 0) return [];
  const records = made.reduce((sum, one) => sum + one.records, 0);
  const spent = made.reduce((sum, one) => sum + one.processorUs * one.records, 0) / records;
  const bytes = made.reduce((sum, one) => sum + one.transactionBytes * one.records, 0) / records;
  return [
    `Made ahead: ${records} records of ${bytes.toFixed(0)} bytes encoded, ${spent.toFixed(0)} processor µs each (encryption, hashes, signature).`,
  ];
}

function padded(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => row[column].length)));
  return rows.map(row =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  '),
  );
}

export function comparisonRows({ commit, rows, warnings }) {
  return {
    title: `against ${commit ?? 'an unknown commit'}`,
    warnings,
    rows: rows.map(({ what, before, now, ratio }) => [
      what,
      number(before, 1),
      number(now, 1),
      `${ratio.toFixed(2)} ×`,
    ]),
  };
}

export function table(result) {
  const shown = columns(result);
  const lines = [];
  if (shown.length > 0) {
    const head = ['', ...shown.map(([name]) => name)];
    lines.push(
      ...padded([head, ...ROWS.map(([name, read]) => [name, ...shown.map(([, step]) => read(step))])]),
      '',
    );
  }
  const ceilings = ceilingRows(result.ceilings);
  if (ceilings.length > 0)
    lines.push('ceilings of the same run', ...padded(ceilings.map(([a, b]) => [a, b])), '');
  lines.push(...pathLines(result.criticalPath), ...result.bars.map(barLine));
  if (result.comparison !== undefined) {
    const { title, rows, warnings } = comparisonRows(result.comparison);
    lines.push(
      '',
      title,
      ...warnings,
      ...(rows.length === 0 ? [] : padded([['', 'before', 'now', 'ratio'], ...rows])),
    );
  }
  lines.push('', ...generatorLines(result), ...conditions(result));
  return lines.join('\n');
}

const markdownTable = rows => [
  `| ${rows[0].join(' | ')} |`,
  `| ${rows[0].map((_, column) => (column === 0 ? '---' : '---:')).join(' | ')} |`,
  ...rows.slice(1).map(row => `| ${row.join(' | ')} |`),
];

export function markdown(result) {
  const shown = columns(result);
  const lines = [];
  if (shown.length > 0) {
    const rows = ROWS.map(([name, read]) => [name.trim(), ...shown.map(([, step]) => read(step))]);
    lines.push(...markdownTable([['measured', ...shown.map(([name]) => name)], ...rows]), '');
  }
  const ceilings = ceilingRows(result.ceilings);
  if (ceilings.length > 0)
    lines.push(
      ...markdownTable([['ceiling of the same run', ''], ...ceilings.map(([a, b]) => [a.trim(), b])]),
      '',
    );
  for (const line of pathLines(result.criticalPath)) lines.push(line, '');
  if (result.bars.length > 0) {
    const rows = result.bars.map(one => [one.what, one.bar, one.measured, verdict(one)]);
    lines.push(...markdownTable([['', 'bar', 'measured', ''], ...rows]), '');
  }
  if (result.comparison !== undefined) {
    const { title, rows, warnings } = comparisonRows(result.comparison);
    lines.push(...markdownTable([[title, 'before', 'now', 'ratio'], ...rows]), '', ...warnings);
  }
  return [...lines, ...generatorLines(result), '', ...conditions(result)].join('\n');
}
