import { destination, pino } from 'pino';
import type { Logger } from '../ports/logger.ts';

/** Structured lines on standard error, so that standard output stays for data. */
export function createLogger(level: string, bindings: object): Logger {
  return pino({ level, base: bindings }, destination({ dest: 2, sync: true })) as unknown as Logger;
}
