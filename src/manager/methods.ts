import type { RpcMethod } from '../rpc/method.ts';
import type { HostingApi, ManagerApi } from './api.ts';
import { Challenges } from './challenges.ts';
import { epochRotate } from './methods/epoch-rotate.ts';
import { memberChallenge } from './methods/member-challenge.ts';
import { memberHost } from './methods/member-host.ts';
import { memberList } from './methods/member-list.ts';
import { memberRegister } from './methods/member-register.ts';
import { memberRevoke } from './methods/member-revoke.ts';
import { memberSuspend } from './methods/member-suspend.ts';
import { overview } from './methods/overview.ts';
import { participantAdd } from './methods/participant-add.ts';
import { participantRemove } from './methods/participant-remove.ts';
import { participantRole } from './methods/participant-role.ts';
import { phaseAdd } from './methods/phase-add.ts';
import { phaseClose } from './methods/phase-close.ts';
import { phaseHandover } from './methods/phase-handover.ts';
import { phaseOpen } from './methods/phase-open.ts';
import { projectArchive } from './methods/project-archive.ts';
import { projectCreate } from './methods/project-create.ts';
import { projectGet } from './methods/project-get.ts';
import { projectList } from './methods/project-list.ts';
import { recordsPut } from './methods/records-put.ts';
import { phaseRename, projectRename } from './methods/rename.ts';
import { managerStatus } from './methods/status.ts';

/**
 * The `manager_` namespace: with the session token, or signed by a member (`createSignedRequestCheck`).
 *
 * @param hosting null on a server that keeps no keys but its own
 */
export function managerMethods(api: ManagerApi, hosting: HostingApi | null): readonly RpcMethod[] {
  const challenges = new Challenges({ clock: api.clock, random: api.random, sha256: api.suite.sha256 });
  const methods = [
    managerStatus,
    overview,
    memberList,
    memberRevoke,
    memberSuspend,
    projectCreate,
    projectArchive,
    projectRename,
    projectList,
    projectGet,
    phaseAdd,
    phaseOpen,
    phaseClose,
    phaseRename,
    phaseHandover,
    participantAdd,
    participantRemove,
    participantRole,
    epochRotate,
  ];
  return [
    memberChallenge(api, challenges),
    memberRegister(api, challenges),
    ...methods.map(method => method(api)),
    ...(hosting === null ? [] : [memberHost(api, hosting), recordsPut(api, hosting)]),
  ];
}
