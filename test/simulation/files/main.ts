import { Coverage } from '../coverage.ts';
import { FILE_REQUIRED } from './requirements.ts';
import { drawFilesOptions, type FilesOptions, runFiles, runFilesWith } from './run.ts';
import { shrinkFiles } from './shrink.ts';

type Print = (line: string) => void;

function printCoverage(coverage: Coverage, print: Print): void {
  for (const [name, times] of coverage.sorted()) print(`  ${name.padEnd(40)} ${String(times).padStart(10)}`);
}

/** What failed, and a smaller run that fails alike. */
export async function explainFiles(seed: number, text: string, print: Print): Promise<void> {
  print(`\nFAILED ${text}\n\nlooking for a smaller run that fails alike …`);
  const smallest = await shrinkFiles(seed, new Error(text));
  print(`\n${(smallest.error as Error).message}`);
  print(`\nseed ${seed}: npm run simulate -- --files --seed ${seed}`);
  print(`the smaller one:  npm run simulate -- --files --options '${JSON.stringify(smallest.options)}'`);
}

/** `npm run simulate -- --files --options JSON`: a run that was made smaller. @returns false when a property was broken */
export async function runFilesOnce(options: FilesOptions, print: Print): Promise<boolean> {
  try {
    const report = await runFilesWith(options);
    const coverage = new Coverage();
    coverage.add(report.coverage);
    printCoverage(coverage, print);
    print(`\n${report.files} files named by records, ${report.steps} events\ntrace ${report.traceHash}`);
    return true;
  } catch (error) {
    print(`\nFAILED ${(error as Error).message}`);
    return false;
  }
}

/** `npm run simulate -- --files`: seeds one after the other. @returns false when a property was broken */
export async function runFilesFor(
  { first, runs, seconds }: { readonly first: number; readonly runs: number; readonly seconds: number },
  print: Print,
): Promise<boolean> {
  const coverage = new Coverage();
  const startMs = Date.now();
  const sums = { runs: 0, files: 0 };
  if (runs === 1) print(JSON.stringify(drawFilesOptions(first)));
  else print(`seeds from ${first}`);
  for (let seed = first; seed < first + runs && Date.now() < startMs + 1000 * seconds; seed += 1) {
    try {
      const report = await runFiles(seed);
      sums.runs += 1;
      sums.files += report.files;
      coverage.add(report.coverage);
      if (runs === 1) print(`trace ${report.traceHash}`);
    } catch (error) {
      await explainFiles(seed, (error as Error).message, print);
      return false;
    }
  }
  const missing = FILE_REQUIRED.filter(name => !coverage.counts.has(name));
  for (const name of runs > 1 ? missing : []) coverage.hit(name, 0);
  printCoverage(coverage, print);
  const elapsed = (Date.now() - startMs) / 1000;
  print(`\n${sums.runs} runs of holders in ${elapsed.toFixed(1)} s, ${sums.files} files named by records`);
  if (missing.length > 0 && runs > 1) print(`never reached: ${missing.join('; ')}`);
  return missing.length === 0 || sums.runs < 100;
}
