import { isHash } from '../../../core/base/ids.ts';
import type { PhaseView, ProjectReadApi } from '../../api.ts';
import { type NamedPhase, resolvePhase } from '../../resolve.ts';

function named(view: PhaseView): NamedPhase & { readonly view: PhaseView } {
  const { id, label, project } = view.state;
  return { id, label, project: { id: project, label: view.projectLabel }, view };
}

/** The phase that people call `name`; whole ids are looked up without listing all phases. */
export function findPhase(api: Pick<ProjectReadApi, 'phase' | 'phases'>, name: string): PhaseView {
  const direct = isHash(name) ? api.phase(name) : null;
  return direct ?? resolvePhase(name, api.phases().map(named)).view;
}
