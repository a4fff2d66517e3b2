// Processor time of this process, by whether its event loop used it or its other threads did.
import { readFileSync } from 'node:fs';

/** Of the thread that runs the event loop; null where the system does not show it. */
function mainUs() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1000;
  } catch {
    return null;
  }
}

function now() {
  const { user, system } = process.cpuUsage();
  return { allUs: user + system, mainUs: mainUs() };
}

/** @returns processor time that `work` took: of the event loop, of other threads, of both, in microseconds */
export async function spentBy(work) {
  const before = now();
  await work();
  const after = now();
  const allUs = after.allUs - before.allUs;
  // without a figure of its own the event loop is taken to have done it all
  const main = before.mainUs === null ? allUs : after.mainUs - before.mainUs;
  return { mainUs: main, otherUs: allUs - main, allUs };
}

/** Microseconds of processor time that one of `count` calls takes, warm. */
export function each(count, work) {
  const half = Math.floor(count / 2);
  for (let index = 0; index < half; index += 1) work(index);
  const before = process.cpuUsage();
  for (let index = half; index < count; index += 1) work(index);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (count - half);
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** The line through (small, atSmall) and (large, atLarge): what one more costs, and what it costs at nothing. */
export function line(small, atSmall, large, atLarge) {
  const slope = Math.max(0, (atLarge - atSmall) / (large - small));
  return { slope, base: Math.max(0, atSmall - slope * small) };
}
