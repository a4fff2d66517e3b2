import { z } from 'zod';
import { retentionOf } from '../../../core/access/retention.ts';
import type { PhaseState } from '../../../core/types/state.ts';
import { count, time, timeSchema } from '../../schemas.ts';

export const retentionSchema = z
  .object({
    days: count,
    due: timeSchema
      .nullable()
      .meta({ description: 'from when its files are due for purge; null while it is a draft or open' }),
  })
  .nullable()
  .meta({ description: 'until then no file of the phase may be purged; null: the policy sets no time' });

export function presentRetention(state: PhaseState) {
  const retention = retentionOf(state);
  if (retention === null) return null;
  const { days, dueMs } = retention;
  return { days, due: dueMs === null ? null : time(dueMs) };
}
