import { CLOCK_NEMESES } from './clocks.ts';
import { DISK_NEMESES } from './disks.ts';
import { FLOOD_NEMESES } from './floods.ts';
import { PATH_NEMESES } from './paths.ts';
import { PROCESS_NEMESES } from './processes.ts';
import type { Nemesis } from './stage.ts';
import { STORM_NEMESES } from './storm.ts';

export const NEMESES: readonly Nemesis[] = [
  ...PROCESS_NEMESES,
  ...PATH_NEMESES,
  ...DISK_NEMESES,
  ...CLOCK_NEMESES,
  ...FLOOD_NEMESES,
  ...STORM_NEMESES,
];
