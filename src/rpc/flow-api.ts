import type { Reject } from '../core/base/reject.ts';
import type { Flow } from '../services/records/flow.ts';
import type { ProjectReadApi } from './api.ts';
import type { UserCredentials } from './users-api.ts';

/** The flow of a member's projects while it runs, and the approvals that phases ask for. */
export interface FlowApi extends ProjectReadApi {
  readonly flow: Flow;
  /** The same in the hands of a user of the member. */
  flowAs(user: UserCredentials | null): Promise<Flow | Reject>;
}
