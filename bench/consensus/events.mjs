// The events of a log file as payloads: the replay of what a real process wrote.
import { pathToFileURL } from 'node:url';
import { UsageError } from './options.mjs';

/**
 * @param main the program, which reads XES and CSV as `phaseline import` does
 * @returns one JSON document an event
 * @throws UsageError for a file that cannot be read, or has no events
 */
export async function eventTexts(main, path) {
  const { readLogFile } = await import(new URL('../cli/import/read-log.js', pathToFileURL(main)).href);
  let rows;
  try {
    ({ rows } = await readLogFile(path));
  } catch (error) {
    throw new UsageError(`--event-log ${path}: ${error.message}`);
  }
  if (rows.length === 0) throw new UsageError(`--event-log ${path}: there are no events in it`);
  return rows.map(row => JSON.stringify(row.fields));
}
