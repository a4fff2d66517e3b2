import type { MemberId, Suite } from '../core/base/ids.ts';
import type { Clock } from '../ports/clock.ts';
import type { RandomBytes } from '../ports/random.ts';
import type { NodeApi } from '../rpc/api.ts';
import type { LedgerAccess } from '../services/records/ports.ts';
import type { Records } from '../services/records/service.ts';

/** What the server does with the keys of its member: administrator, and owner of the projects it made. */
export type ManagementOperations = Pick<
  Records,
  | 'registerMember'
  | 'revokeMember'
  | 'createProject'
  | 'archiveProject'
  | 'addPhase'
  | 'openPhase'
  | 'closePhase'
  | 'handover'
  | 'addParticipant'
  | 'removeParticipant'
  | 'changeRole'
  | 'rotateEpoch'
>;

/** What the server knows: verified data only. */
export type CertifiedData = Pick<
  LedgerAccess,
  'chainId' | 'head' | 'system' | 'project' | 'projects' | 'phase' | 'phases'
>;

export interface ManagerApi {
  /** The member whose node this is. */
  readonly member: MemberId;
  readonly node: Pick<NodeApi, 'status'>;
  readonly data: CertifiedData;
  readonly operations: ManagementOperations;
  readonly suite: Suite;
  readonly random: RandomBytes;
  readonly clock: Clock;
}
