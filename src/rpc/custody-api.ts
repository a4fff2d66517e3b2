import type { Custody } from '../services/records/custody.ts';
import type { ProjectReadApi } from './api.ts';

/** Complaints about keys, and their recovery. */
export interface CustodyApi extends ProjectReadApi {
  readonly custody: Pick<Custody, 'rotate' | 'complain' | 'setRecovery' | 'recovery' | 'ask' | 'offer'>;
}
