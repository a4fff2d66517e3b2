import { isHash } from '../core/base/ids.ts';
import type { PhaseState, ProjectState } from '../core/types/state.ts';
import { failure } from '../rpc/errors.ts';
import type { Caller } from '../rpc/method.ts';
import { resolvePhase, resolveProject } from '../rpc/resolve.ts';
import type { CertifiedData } from './api.ts';
import { mayManage, requireManager } from './rights.ts';

/** A project by label, id or start of an id, that the caller may manage. */
export async function findProject(data: CertifiedData, caller: Caller, name: string): Promise<ProjectState> {
  const project = (isHash(name) ? data.project(name) : null) ?? (await resolveMyProject(data, caller, name));
  requireManager(data, caller, project);
  return project;
}

async function resolveMyProject(data: CertifiedData, caller: Caller, name: string): Promise<ProjectState> {
  const mine = data.projects().filter(project => mayManage(data, caller, project.owner));
  const named = mine.map(async state => ({ id: state.id, label: await data.projectLabel(state.id), state }));
  return resolveProject(name, await Promise.all(named)).state;
}

export interface ManagedPhase {
  readonly phase: PhaseState;
  readonly project: ProjectState;
}

/** A phase by label, id, start of an id or project/phase, of a project that the caller may manage. */
export async function findPhase(data: CertifiedData, caller: Caller, name: string): Promise<ManagedPhase> {
  const phase = (isHash(name) ? data.phase(name) : null) ?? (await resolveMyPhase(data, caller, name));
  const project = data.project(phase.project);
  if (project === null) {
    throw failure('forbidden', 'not_owner', `phase "${name}" belongs to a project of another owner`);
  }
  requireManager(data, caller, project);
  return { phase, project };
}

async function resolveMyPhase(data: CertifiedData, caller: Caller, name: string): Promise<PhaseState> {
  const mine = data.phases().filter(phase => {
    const project = data.project(phase.project);
    return project !== null && mayManage(data, caller, project.owner);
  });
  const named = mine.map(async phase => ({
    id: phase.id,
    label: await data.phaseLabel(phase.id, phase.project),
    project: { id: phase.project, label: await data.projectLabel(phase.project) },
    phase,
  }));
  return resolvePhase(name, await Promise.all(named)).phase;
}
