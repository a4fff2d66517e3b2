import { open } from 'node:fs/promises';
import { OperatingError } from '../../ports/lifecycle.ts';
import { type EventLogFile, readEventLog } from './read-csv.ts';
import { readXes } from './read-xes.ts';

const SNIFFED_BYTES = 512;

/** XML begins with `<`, after a byte order mark and white space at most. */
async function looksLikeXml(path: string): Promise<boolean> {
  const file = await open(path).catch((cause: NodeJS.ErrnoException) => {
    const hint = 'Give the path of a CSV or XES file.';
    throw new OperatingError('no_file', `cannot read ${path}: ${cause.code}`, hint, cause);
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(SNIFFED_BYTES), 0, SNIFFED_BYTES, 0);
    return /^\uFEFF?\s*</.test(buffer.subarray(0, bytesRead).toString('utf8'));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new OperatingError(
      'no_file',
      `cannot read ${path}: ${code}`,
      'Give the path of a CSV or XES file.',
      cause,
    );
  } finally {
    await file.close();
  }
}

/** An event log in XES or in the CSV of process-mining tools, told apart by its first character. */
export async function readLogFile(path: string): Promise<EventLogFile> {
  return (await looksLikeXml(path)) ? readXes(path) : readEventLog(path);
}
