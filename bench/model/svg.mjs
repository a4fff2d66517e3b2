// Throughput over the number of nodes, as a picture: both axes logarithmic, one line a network.
import { logTicks } from '../consensus/svg.mjs';

const WIDTH = 760;
const HEIGHT = 420;
const LEFT = 84;
const RIGHT = 90;
const TOP = 56;
const BOTTOM = 64;
const COLOURS = ['#1b6ca8', '#c05a00', '#2f8f4e'];

const text = (x, y, content, anchor = 'middle', fill = '#333') =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-family="system-ui, sans-serif" font-size="13" text-anchor="${anchor}" fill="${fill}">${content}</text>`;
const rule = (x1, y1, x2, y2) =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#e3e3e3"/>`;

/** @param result of a prediction */
export function predictionSvg({ predictions, signatures, cores }) {
  const sizes = [...new Set(predictions.map(({ nodes }) => nodes))];
  const values = predictions.map(({ perSecond }) => perSecond);
  const ticks = logTicks(Math.min(...values), Math.max(...values));
  const [least, most] = [ticks[0], ticks.at(-1)];
  const part = (value, from, to) => (to === from ? 0.5 : Math.log(value / from) / Math.log(to / from));
  const x = nodes => LEFT + (WIDTH - LEFT - RIGHT) * part(nodes, sizes[0], sizes.at(-1));
  const y = value => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part(value, least, most);
  const parts = [`<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`];
  for (const tick of ticks) {
    parts.push(rule(LEFT, y(tick), WIDTH - RIGHT, y(tick)));
    parts.push(text(LEFT - 8, y(tick) + 4, Number(tick.toPrecision(3)), 'end'));
  }
  for (const nodes of sizes) {
    parts.push(rule(x(nodes), TOP, x(nodes), HEIGHT - BOTTOM));
    parts.push(text(x(nodes), HEIGHT - BOTTOM + 20, nodes));
  }
  for (const [index, network] of [...new Set(predictions.map(one => one.network))].entries()) {
    const points = predictions.filter(one => one.network === network);
    const colour = COLOURS[index % COLOURS.length];
    const path = points.map(one => `${x(one.nodes).toFixed(1)},${y(one.perSecond).toFixed(1)}`).join(' ');
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    const last = points.at(-1);
    parts.push(text(x(last.nodes) + 8, y(last.perSecond) + 4, network, 'start', colour));
  }
  const signed = signatures === 'each' ? 'a signature each' : 'batch signatures';
  parts.push(
    text(LEFT, 28, `Predicted committed transactions a second: ${signed}, ${cores} cores a node`, 'start'),
  );
  parts.push(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 18, 'consensus nodes'));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">\n${parts.join('\n')}\n</svg>\n`;
}
