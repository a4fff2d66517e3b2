/**
 * What services count. Names, types and labels stand in one table (`src/rpc/metrics.ts`); an unknown name or label is a
 * broken invariant.
 */
export interface Metrics {
  /** Adds to a counter. */
  count(name: string, labels?: Readonly<Record<string, string>>, by?: number): void;
  /** Sets a gauge. */
  gauge(name: string, value: number, labels?: Readonly<Record<string, string>>): void;
  /** Adds a duration in seconds to a histogram. */
  observe(name: string, seconds: number, labels?: Readonly<Record<string, string>>): void;
}

export const noMetrics: Metrics = { count: () => {}, gauge: () => {}, observe: () => {} };
