import { type Reduction, smallest } from '../shrink.ts';
import { FILE_DEEDS } from './deeds.ts';
import { drawFilesOptions, type FilesOptions, runFilesWith } from './run.ts';

const REDUCTIONS: readonly Reduction<FilesOptions>[] = [
  options => (options.faultsMs > 500 ? { ...options, faultsMs: Math.floor(options.faultsMs / 2) } : null),
  options => (options.hasLiars ? { ...options, hasLiars: false } : null),
  options => (options.members === null ? { ...options, members: 4 } : null),
  options => ((options.members ?? 4) > 2 ? { ...options, members: (options.members ?? 4) - 1 } : null),
  ...FILE_DEEDS.map(
    ({ name }): Reduction<FilesOptions> =>
      options =>
        options.without.includes(name) ? null : { ...options, without: [...options.without, name] },
  ),
];

/** Looks for a run with fewer members, kinds of faults and less time that fails as the one of `seed` does. */
export function shrinkFiles(seed: number, error: unknown) {
  return smallest(drawFilesOptions(seed), error, REDUCTIONS, runFilesWith);
}
