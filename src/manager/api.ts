import type { MemberId, PhaseId, Suite } from '../core/base/ids.ts';
import type { Reject } from '../core/base/reject.ts';
import type { Clock } from '../ports/clock.ts';
import type { RandomBytes } from '../ports/random.ts';
import type { NodeApi, RecordInput } from '../rpc/api.ts';
import type { LedgerAccess } from '../services/records/ports.ts';
import type { Committed } from '../services/records/sender.ts';
import type { Records } from '../services/records/service.ts';

/** What the server does with the keys of its member: administrator, and owner of the projects it made. */
export type ManagementOperations = Pick<
  Records,
  | 'registerMember'
  | 'revokeMember'
  | 'suspendMember'
  | 'createProject'
  | 'archiveProject'
  | 'addPhase'
  | 'openPhase'
  | 'closePhase'
  | 'handOverToAll'
  | 'addParticipant'
  | 'removeParticipant'
  | 'changeRole'
  | 'rotateEpoch'
  | 'renamePhase'
  | 'renameProject'
>;

/** What the server knows: verified data only, and the names that its member can open. */
export type CertifiedData = Pick<
  LedgerAccess,
  'chainId' | 'head' | 'system' | 'project' | 'projects' | 'phase' | 'phases'
> &
  Pick<Records, 'phaseLabel' | 'projectLabel'>;

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

/**
 * Members whose keys live on this server because they have no node of their own: their keys are made here, and the server
 * reads and writes for them.
 */
export interface HostingApi {
  /** Registers the member with keys made and kept here; null when it is hosted here already. */
  host(member: MemberId, name: string): Promise<Committed | null | Reject>;
  isHosted(member: MemberId): boolean;
  /** Writes records in the name of a hosted member; resolves when all are committed or refused, in order. */
  putRecords(
    member: MemberId,
    phase: PhaseId,
    records: readonly Pick<RecordInput, 'type' | 'title' | 'mediaType' | 'data'>[],
  ): Promise<readonly (Committed | Reject)[]>;
}
