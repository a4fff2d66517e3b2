import type { Flow } from '../services/records/flow.ts';
import type { ProjectReadApi } from './api.ts';

/** The flow of a member's projects while it runs, and the approvals that phases ask for. */
export interface FlowApi extends ProjectReadApi {
  readonly flow: Flow;
}
