// Latencies in an HDR histogram: Node's own, three significant figures, microseconds.
import { createHistogram } from 'node:perf_hooks';

const HIGHEST_US = 600_000_000;
export const PERCENTILES = [50, 90, 99, 99.9];

export class Latencies {
  #histogram = createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 3 });

  /** @param ms what is above ten minutes counts as ten minutes */
  record(ms) {
    this.#histogram.record(Math.min(HIGHEST_US, Math.max(1, Math.round(ms * 1000))));
  }

  get count() {
    return this.#histogram.count;
  }

  /** In ms; null of nothing. */
  summary() {
    if (this.count === 0) return null;
    const at = percentile => this.#histogram.percentile(percentile) / 1000;
    const [p50Ms, p90Ms, p99Ms, p999Ms] = PERCENTILES.map(at);
    return {
      count: this.count,
      ...{ p50Ms, p90Ms, p99Ms, p999Ms },
      meanMs: this.#histogram.mean / 1000,
      maxMs: this.#histogram.max / 1000,
    };
  }
}
