import type { History } from './history/history.ts';
import { seconds } from './nemeses/stage.ts';
import type { LeftOut } from './plan.ts';
import type { Check, StepResult } from './run.ts';

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)));
  return rows
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function stepTable(results: readonly StepResult[], leftOut: readonly LeftOut[]): string {
  const names = [...new Set(results.map(result => result.nemesis))];
  const rows = names.map(name => {
    const own = results.filter(result => result.nemesis === name);
    const longest = (of: (result: StepResult) => number) => seconds(Math.max(...own.map(of)));
    const failed = own.filter(result => result.fault !== null).length;
    return [
      ...[name, String(own.length), longest(result => result.gapMs)],
      ...[longest(result => result.recoveredMs), failed === 0 ? 'passed' : `${failed} FAILED`],
    ];
  });
  const without = leftOut.map(({ name, reason }) => [name, '0', '', '', `left out: ${reason}`]);
  return table([['NEMESIS', 'TIMES', 'LONGEST GAP', 'LONGEST RECOVERY', 'RESULT'], ...rows, ...without]);
}

export function checkTable(checks: readonly Check[]): string {
  const rows = checks.map(({ name, fault, remark }) => [
    ...[name, fault === null ? 'passed' : 'FAILED'],
    (fault ?? remark).split('\n')[0]!,
  ]);
  return table([['CHECK', 'RESULT', ''], ...rows]);
}

/** Why writes were not acknowledged, most frequent first. */
export function failureTable(history: History): string {
  const counts = new Map<string, number>();
  for (const { outcome, fault } of history.writes) {
    if (outcome === 'ok') continue;
    const key = `${outcome}: ${fault}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const rows = [...counts].sort((a, b) => b[1] - a[1]).map(([reason, count]) => [String(count), reason]);
  return table([['WRITES', 'NOT ACKNOWLEDGED'], ...rows]);
}

/** Quantiles of durations, as one line. */
export function distribution(name: string, valuesMs: readonly number[]): string {
  const sorted = [...valuesMs].sort((a, b) => a - b);
  const at = (share: number) =>
    `${sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]?.toFixed(0)} ms`;
  return `${name}: min ${at(0)}, p50 ${at(0.5)}, p90 ${at(0.9)}, max ${at(1)}`;
}

export interface Outcome {
  readonly name: string;
  readonly fault: string | null;
}

/** In the form of vitest's JSON reporter, as far as `scripts/summary.mjs` reads it. */
export function resultsDocument(outcomes: readonly Outcome[]): string {
  const assertionResults = outcomes.map(({ name, fault }) => ({
    ...{ title: name, status: fault === null ? 'passed' : 'failed' },
    failureMessages: fault === null ? [] : [fault],
  }));
  const failed = outcomes.filter(({ fault }) => fault !== null).length;
  const status = failed === 0 ? 'passed' : 'failed';
  return JSON.stringify({
    ...{ numPassedTests: outcomes.length - failed, numFailedTests: failed },
    testResults: [{ name: 'chaos', status, assertionResults }],
  });
}
