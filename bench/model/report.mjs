// Predictions and validation for people (Markdown); `--json` has them for programs.
const number = value => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
const percent = value => `${Math.round(100 * value)} %`;
const line = cells => `| ${cells.join(' | ')} |`;

/** @param result of `--predict` */
export function predictionTable({ predictions }) {
  const head = [
    'network',
    'n',
    'committed/s',
    'in a block',
    'p50 ms at 10 %',
    'p50 ms at 50 %',
    'views ended',
    'limit',
    'of which',
  ];
  const rows = predictions.map(one => [
    one.network,
    one.nodes,
    number(one.perSecond),
    number(one.transactionsPerBlock),
    ...one.at.map(({ p50Ms }) => number(p50Ms)),
    one.viewChanges,
    `${one.limit}, ${percent(one.use)}`,
    one.parts.map(({ what, share }) => `${what} ${percent(share)}`).join(', '),
  ]);
  const lifts = predictions.map(one => `- ${one.network}, n = ${one.nodes}: ${one.lift}.`);
  const table = [
    line(head),
    line(head.map((_, at) => (at < 1 || at > 6 ? '---' : '---:'))),
    ...rows.map(line),
  ];
  return [...table, '', 'What would lift it:', '', ...lifts].join('\n');
}

export function priceTable({ prices }) {
  const rows = Object.entries(prices).map(([name, { value, unit, how }]) => [
    `\`${name}\``,
    number(value),
    unit,
    how,
  ]);
  return [
    line(['price', 'value', 'unit', 'how']),
    line(['---', '---:', '---', '---']),
    ...rows.map(line),
  ].join('\n');
}

/** @param validations of `validate` */
export function validationTable(validations) {
  const rows = validations.flatMap(({ nodes, rows: all }) =>
    all.map(({ what, unit, predicted, measured, errorPercent }) => [
      nodes,
      what,
      `${number(predicted)} ${unit}`.trim(),
      `${number(measured)} ${unit}`.trim(),
      errorPercent === null ? '' : `${errorPercent > 0 ? '+' : ''}${errorPercent.toFixed(0)} %`,
    ]),
  );
  const head = ['n', 'what', 'predicted', 'measured', 'error'];
  return [line(head), line(['---:', '---', '---:', '---:', '---:']), ...rows.map(line)].join('\n');
}
