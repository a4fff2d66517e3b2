import { isReject, type Reject } from '../core/base/reject.ts';
import type { ErrorName } from './errors.ts';
import { time } from './schemas.ts';

/** How a change of a phase or project can fail. */
export const CHANGE_ERRORS: readonly ErrorName[] = [
  'not_found',
  'ambiguous_name',
  'forbidden',
  'refused',
  'unavailable',
  'expired',
];

interface Sent {
  readonly id: string;
  readonly height: number;
  readonly timeMs: number;
}

/** As `receiptSchema` has it. */
export function presentReceipt(sent: Sent | Reject) {
  return isReject(sent) ? sent : { id: sent.id, height: sent.height, time: time(sent.timeMs) };
}
