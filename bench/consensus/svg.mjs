// The saturation curve as a picture: latency over committed throughput, both axes with numbers, one line a percentile.

const WIDTH = 860;
const HEIGHT = 520;
const LEFT = 84;
const RIGHT = 150;
const TOP = 64;
const BOTTOM = 78;
const LINES = [
  ['p50', 'p50Ms', '#1b6ca8'],
  ['p90', 'p90Ms', '#2f8f4e'],
  ['p99', 'p99Ms', '#c05a00'],
  ['p99.9', 'p999Ms', '#a3213d'],
];
const FONT = 'font-family="system-ui, sans-serif"';

const escapeXml = text => String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** A step of 1, 2 or 5 times a power of ten that divides `most` into about `parts`. */
export function niceStep(most, parts) {
  const rough = most / parts;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find(factor => factor * power >= rough);
}

/** Powers of ten, with 2 and 5 between, that enclose the values. */
export function logTicks(least, most) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power += 1) {
    for (const factor of [1, 2, 5]) ticks.push(factor * 10 ** power);
  }
  const from = ticks.findLastIndex(tick => tick <= least);
  const to = ticks.findIndex(tick => tick >= most);
  return ticks.slice(Math.max(0, from), to < 0 ? undefined : to + 1);
}

/** Moves labels that would lie upon each other apart, downwards. */
function spread(labels, gap) {
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  for (let index = 1; index < sorted.length; index += 1) {
    sorted[index].y = Math.max(sorted[index].y, sorted[index - 1].y + gap);
  }
  return sorted;
}

function text(x, y, content, { anchor = 'start', size = 13, fill = '#333', weight = 400, extra = '' } = {}) {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${FONT} font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}" ${extra}>${escapeXml(content)}</text>`;
}

/** @param result of a run with `--curve`, or of a single load: then of that one point */
export function curveSvg(result) {
  const steps = result.curve?.points ?? [result.load, result.tenth].filter(Boolean);
  const points = steps
    .filter(step => step.latency !== null)
    .sort((a, b) => (a.rate ?? a.perSecond) - (b.rate ?? b.perSecond));
  const most = Math.max(1, ...points.map(point => point.perSecond));
  const xStep = niceStep(most, 8);
  const xMost = Math.ceil((most * 1.02) / xStep) * xStep;
  const values = points.flatMap(point => LINES.map(([, field]) => point.latency[field]));
  const yTicks = logTicks(Math.min(1000, ...values), Math.max(1, ...values));
  const [yLeast, yMost] = [yTicks[0], yTicks.at(-1)];
  const x = value => LEFT + ((WIDTH - LEFT - RIGHT) * value) / xMost;
  const y = value =>
    HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * Math.log(value / yLeast)) / Math.log(yMost / yLeast);
  const parts = [`<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`];
  for (const tick of yTicks) {
    parts.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}" stroke="#e3e3e3"/>`,
    );
    parts.push(text(LEFT - 8, y(tick) + 4, String(Number(tick.toPrecision(3))), { anchor: 'end' }));
  }
  for (let tick = 0; tick <= xMost + xStep / 2; tick += xStep) {
    parts.push(
      `<line x1="${x(tick).toFixed(1)}" x2="${x(tick).toFixed(1)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="#efefef"/>`,
    );
    parts.push(
      text(x(tick), HEIGHT - BOTTOM + 20, String(Number(tick.toPrecision(6))), { anchor: 'middle' }),
    );
  }
  const labels = [];
  for (const [name, field, colour] of LINES) {
    if (points.length === 0) continue;
    const at = points.map(point => [x(point.perSecond), y(point.latency[field])]);
    const path = at.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(' ');
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const [px, py] of at)
      parts.push(`<circle cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="3.5" fill="${colour}"/>`);
    const last = points.at(-1).latency[field];
    labels.push({
      y: at.at(-1)[1],
      name: `${name}  ${last >= 100 ? last.toFixed(0) : last.toPrecision(3)} ms`,
      colour,
    });
  }
  for (const label of spread(labels, 17)) {
    parts.push(text(WIDTH - RIGHT + 10, label.y + 4, label.name, { fill: label.colour, weight: 600 }));
  }
  const { nodes, payloadBytes, signatures } = result.parameters;
  const { environment } = result;
  const payload = payloadBytes === null ? 'replayed events' : `${payloadBytes} B payload`;
  const signed = signatures === 'each' ? 'a signature each' : 'batch signatures';
  parts.push(
    text(LEFT, 26, `Commit latency over throughput: ${nodes} nodes, ${payload}, ${signed}`, {
      size: 16,
      weight: 600,
    }),
  );
  parts.push(
    text(
      LEFT,
      46,
      `${environment.processors}; commit ${environment.commit ?? 'unknown'}; latency from when a transaction was due`,
      { size: 12, fill: '#666' },
    ),
  );
  parts.push(
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 30, 'committed transactions a second', { anchor: 'middle' }),
  );
  const middle = (TOP + HEIGHT - BOTTOM) / 2;
  parts.push(
    text(24, middle, 'latency in ms (logarithmic)', {
      anchor: 'middle',
      extra: `transform="rotate(-90 24 ${middle})"`,
    }),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">\n${parts.join('\n')}\n</svg>\n`;
}
