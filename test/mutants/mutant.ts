/** One mistake that an implementer of this protocol could make, as one change of the source. */
export interface Mutant {
  /** Kebab-case; what `--only` takes. */
  readonly name: string;
  /** Below src/. */
  readonly file: string;
  /** Source text that occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** The simulator, its runs of file holders, the transcripts of `test/scenarios`, or the test files that go red. */
  readonly caughtBy: 'simulation' | 'holders' | 'transcripts' | readonly string[];
  /**
   * Seeds of the simulator within which it must be caught: of one that it catches `SEED_BUDGET` where it says nothing, of
   * any other a second proof, `--by simulation`.
   */
  readonly seeds?: number;
  /** In the short run of `.ci/run`. */
  readonly quick?: true;
}

export const SEED_BUDGET = 20;

/** Within so many seeds the simulator of whole nodes catches it; null where it need not. */
export function seedsOf({ caughtBy, seeds }: Mutant): number | null {
  if (caughtBy === 'holders') return null;
  return seeds ?? (caughtBy === 'simulation' ? SEED_BUDGET : null);
}
