// When transactions are due. An open loop sends by the clock, whatever the network does: latency counts from the time at which a
// transaction was due, so that a network that stalls is charged for everybody who would have come meanwhile.

/** Milliseconds after the start at which transaction `index` is due, at `rate` a second, evenly spread. */
export function dueMs(index, rate) {
  return (index * 1000) / rate;
}

/** How many are due `elapsedMs` after the start. */
export function dueBy(elapsedMs, rate) {
  return elapsedMs < 0 ? 0 : Math.floor((elapsedMs * rate) / 1000 + 1e-9) + 1;
}

/** Parts of the saturation at which a curve is measured when no rates are given. */
const CURVE_PARTS = [0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1];

/** @param saturation transactions a second that a closed loop reached */
export function curveRates(saturation) {
  return [...new Set(CURVE_PARTS.map(part => Math.max(1, Math.round(saturation * part))))];
}
