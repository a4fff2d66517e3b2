import { isHash } from '../core/base/ids.ts';
import type { PhaseState, ProjectState } from '../core/types/state.ts';
import { failure } from '../rpc/errors.ts';
import type { Caller } from '../rpc/method.ts';
import { resolvePhase, resolveProject } from '../rpc/resolve.ts';
import type { CertifiedData } from './api.ts';
import { mayManage, requireManager } from './rights.ts';

/** A project by label, id or start of an id, that the caller may manage. */
export function findProject(data: CertifiedData, caller: Caller, name: string): ProjectState {
  const direct = isHash(name) ? data.project(name) : null;
  const mine = () => data.projects().filter(project => mayManage(data, caller, project.owner));
  const project = direct ?? resolveProject(name, mine());
  requireManager(data, caller, project);
  return project;
}

export interface ManagedPhase {
  readonly phase: PhaseState;
  readonly project: ProjectState;
}

/** A phase by label, id, start of an id or project/phase, of a project that the caller may manage. */
export function findPhase(data: CertifiedData, caller: Caller, name: string): ManagedPhase {
  const phase = (isHash(name) ? data.phase(name) : null) ?? resolveAmongMine(data, caller, name);
  const project = data.project(phase.project);
  if (project === null) {
    throw failure('forbidden', 'not_owner', `phase "${phase.label}" belongs to a project of another owner`);
  }
  requireManager(data, caller, project);
  return { phase, project };
}

function resolveAmongMine(data: CertifiedData, caller: Caller, name: string): PhaseState {
  const mine = data.phases().flatMap(phase => {
    const project = data.project(phase.project);
    if (project === null || !mayManage(data, caller, project.owner)) return [];
    return [{ id: phase.id, label: phase.label, project: { id: project.id, label: project.label }, phase }];
  });
  return resolvePhase(name, mine).phase;
}
