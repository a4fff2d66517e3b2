import { activeAdministrators } from '../core/access/standing.ts';
import type { MemberId } from '../core/base/ids.ts';
import type { ProjectState } from '../core/types/state.ts';
import { failure } from '../rpc/errors.ts';
import type { Caller } from '../rpc/method.ts';
import type { CertifiedData } from './api.ts';

/** The session is the operator's own; of members, those whom certified data names administrator and has not revoked. */
export function isAdministrator(data: CertifiedData, caller: Caller): boolean {
  if (caller.kind !== 'member') return caller.kind === 'session';
  const system = data.system();
  return activeAdministrators(system).includes(caller.member);
}

/** Administrators may do everything; a project's owner what concerns the project. */
export function mayManage(data: CertifiedData, caller: Caller, owner: MemberId): boolean {
  return isAdministrator(data, caller) || (caller.kind === 'member' && caller.member === owner);
}

/** @throws RpcFailure `forbidden` */
export function requireAdministrator(data: CertifiedData, caller: Caller): void {
  if (isAdministrator(data, caller)) return;
  throw failure('forbidden', 'not_administrator', 'only administrators of the consortium may do this');
}

/** @throws RpcFailure `forbidden` */
export function requireManager(data: CertifiedData, caller: Caller, project: Pick<ProjectState, 'owner'>) {
  if (mayManage(data, caller, project.owner)) return;
  throw failure('forbidden', 'not_owner', 'only administrators and the owner of the project may do this');
}
