import { isHash } from '../../../core/base/ids.ts';
import type { PhaseView, ProjectReadApi } from '../../api.ts';
import { failure } from '../../errors.ts';
import { type NamedPhase, resolvePhase } from '../../resolve.ts';

function named(view: PhaseView): NamedPhase & { readonly view: PhaseView } {
  const { id, project } = view.state;
  return { id, label: view.label, project: { id: project, label: view.projectLabel }, view };
}

/**
 * The phase that people call `name`; whole ids are looked up without listing all phases. A phase that this member is not in
 * and one that does not exist look the same from here.
 */
export async function findPhase(
  api: Pick<ProjectReadApi, 'phase' | 'phases'>,
  name: string,
): Promise<PhaseView> {
  if (!isHash(name)) return resolvePhase(name, (await api.phases()).map(named)).view;
  const direct = await api.phase(name);
  if (direct !== null) return direct;
  const detail = `phase ${name.slice(0, 12)} is none that this member is in`;
  throw failure('forbidden', 'not_readable', detail, 'phase_list shows the phases that this node may read.');
}
