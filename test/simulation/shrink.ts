import type { RunOptions } from './draw.ts';
import { runWith } from './run.ts';

/** Runs that looking for a smaller failure may take. */
const ATTEMPTS_MAX = 60;
/** Time that it may take, in milliseconds. */
const SEARCH_MS = 60_000;
const SEEDS_EACH = 3;

/** One way to make a run smaller; null where it is as small as that already. */
export type Reduction<Options> = (options: Options) => Options | null;

const REDUCTIONS: readonly Reduction<RunOptions>[] = [
  options => (options.byzantine.length > 0 ? { ...options, byzantine: options.byzantine.slice(1) } : null),
  options => (options.lights > 0 ? { ...options, lights: 0 } : null),
  options => (options.observers > 0 ? { ...options, observers: 0 } : null),
  options =>
    options.validators > 4 ? { ...options, validators: 4, byzantine: options.byzantine.slice(0, 1) } : null,
  options =>
    options.validators > 1 && options.validators <= 4 && options.byzantine.length === 0
      ? { ...options, validators: options.validators - 1 }
      : null,
  options => (options.faultsMs > 500 ? { ...options, faultsMs: Math.floor(options.faultsMs / 2) } : null),
  options => (options.blocks > 5 ? { ...options, blocks: Math.floor(options.blocks / 3) } : null),
  options => (options.eventMs > 0 ? { ...options, eventMs: 0 } : null),
  options => (options.calmMs < 1500 ? { ...options, calmMs: options.calmMs * 2 } : null),
  options => (options.loadMs < 400 ? { ...options, loadMs: options.loadMs * 3 } : null),
  options => (options.members > 2 ? { ...options, members: 2, administrators: 1, threshold: 1 } : null),
];

/** The failure without its numbers: a smaller run fails alike at another height. */
function kindOf(error: unknown): string {
  const [first = ''] = (error as Error).message.replace(/^seed \d+: /, '').split('\n');
  return first.replace(/baf[a-z2-7]{20,}|[0-9a-f]{16,}|\d+/g, '#');
}

async function failureOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    await run();
    return null;
  } catch (error) {
    return error;
  }
}

/**
 * Looks for a smaller run that fails alike. Another option draws another run, so that each is tried with a few seeds.
 * @returns the smallest, which is `failing` itself where none was found
 */
export async function smallest<Options extends { readonly seed: number }>(
  failing: Options,
  error: unknown,
  reductions: readonly Reduction<Options>[],
  run: (options: Options) => Promise<unknown>,
): Promise<{ options: Options; error: unknown }> {
  const wanted = kindOf(error);
  let best = { options: failing, error };
  let attempts = 0;
  const untilMs = Date.now() + SEARCH_MS;
  for (
    let index = 0;
    index < reductions.length && attempts < ATTEMPTS_MAX && Date.now() < untilMs;
    index += 1
  ) {
    const smaller = reductions[index]?.(best.options) ?? null;
    if (smaller === null) continue;
    for (let other = 0; other < SEEDS_EACH; other += 1) {
      const options = { ...smaller, seed: smaller.seed + other * 1_000_003 };
      attempts += 1;
      const found = await failureOf(() => run(options));
      if (found === null || kindOf(found) !== wanted) continue;
      best = { options, error: found };
      index = -1;
      break;
    }
  }
  return best;
}

/** Fewer nodes, faults, transactions, less time. */
export async function shrink(
  failing: RunOptions,
  error: unknown,
): Promise<{ options: RunOptions; error: unknown }> {
  const best = await smallest(failing, error, REDUCTIONS, runWith);
  const detailed = { ...best.options, detailed: true, linesMax: 400 };
  return { options: best.options, error: (await failureOf(() => runWith(detailed))) ?? best.error };
}
