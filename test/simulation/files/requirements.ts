import { FILE_DEEDS } from './deeds.ts';
import { LIARS } from './holder.ts';

/** What many runs of holders must show at least once. */
export const FILE_REQUIRED: readonly string[] = [
  ...FILE_DEEDS.map(({ name }) => `files: ${name}`),
  ...LIARS.map(nature => `files: liar, ${nature}`),
  ...['block served', 'receipt signed', 'purge acknowledged', 'read whole', 'disk full'].map(
    what => `files: ${what}`,
  ),
  ...['unsynced write lost', 'handed over', 'named without a right'].map(what => `files: ${what}`),
];
