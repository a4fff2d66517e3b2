import { Coverage } from '../coverage.ts';
import { FILE_REQUIRED } from './requirements.ts';
import { runFiles } from './run.ts';

/** `npm run simulate -- --files`: seeds one after the other. @returns false when a property was broken */
export async function runFilesFor(
  { first, runs, seconds }: { readonly first: number; readonly runs: number; readonly seconds: number },
  print: (line: string) => void,
): Promise<boolean> {
  const coverage = new Coverage();
  const startMs = Date.now();
  const sums = { runs: 0, files: 0 };
  for (let seed = first; seed < first + runs && Date.now() < startMs + 1000 * seconds; seed += 1) {
    try {
      const report = await runFiles(seed);
      sums.runs += 1;
      sums.files += report.files;
      coverage.add(report.coverage);
      if (runs === 1) print(`trace ${report.traceHash}`);
    } catch (error) {
      print(`\nFAILED ${(error as Error).message}\n\nnpm run simulate -- --files --seed ${seed}`);
      return false;
    }
  }
  for (const [name, times] of coverage.sorted()) print(`  ${name.padEnd(40)} ${String(times).padStart(10)}`);
  const elapsed = (Date.now() - startMs) / 1000;
  print(`\n${sums.runs} runs of holders in ${elapsed.toFixed(1)} s, ${sums.files} files named by records`);
  const missing = FILE_REQUIRED.filter(name => !coverage.counts.has(name));
  if (missing.length > 0) print(`never reached: ${missing.join('; ')}`);
  return missing.length === 0 || sums.runs < 100;
}
