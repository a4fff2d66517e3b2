import { isHash, type PhaseId, type ProjectId } from '../core/base/ids.ts';
import { failure, RpcFailure } from './errors.ts';

/** Anything that people call by a label or by the first characters of its id. */
export interface Named {
  readonly id: string;
  /** Null where no card opens here: then only the id names it. */
  readonly label: string | null;
}

export interface NamedPhase extends Named {
  readonly id: PhaseId;
  readonly project: { readonly id: ProjectId; readonly label: string | null };
}

const ID_PREFIX_CHARACTERS_MIN = 4;
const MATCHES_SHOWN_MAX = 10;

/** A whole id wins; else everything whose label is the name or whose id starts with it, so that no label can shadow an id. */
function candidates<T extends Named>(name: string, items: readonly T[]): readonly T[] {
  if (isHash(name)) return items.filter(item => item.id === name);
  const prefix = name.length >= ID_PREFIX_CHARACTERS_MIN && /^[0-9a-f]+$/.test(name);
  return items.filter(item => item.label === name || (prefix && item.id.startsWith(name)));
}

function one<T extends Named>(name: string, what: string, found: readonly T[], show: (item: T) => string): T {
  const [first] = found;
  if (first === undefined) {
    throw failure(
      'not_found',
      `unknown_${what}`,
      `no ${what} is called "${name}"`,
      `${what}_list shows what this node may read.`,
    );
  }
  if (found.length === 1) return first;
  const matches = found.slice(0, MATCHES_SHOWN_MAX).map(show);
  throw new RpcFailure(
    'ambiguous_name',
    `"${name}" stands for ${found.length} ${what}s: ${matches.join(', ')}`,
    {
      reason: 'ambiguous_name',
      hint: `Give more characters of the id${what === 'phase' ? ', or project/phase' : ''}.`,
      matches,
    },
  );
}

/**
 * @param name a project's id, the first characters of its id, or its label
 * @throws RpcFailure `not_found`, `ambiguous_name` with the matches
 */
export function resolveProject<T extends Named>(name: string, projects: readonly T[]): T {
  return one(
    name,
    'project',
    candidates(name, projects),
    item => `${item.label ?? 'a project'} (${item.id.slice(0, 12)})`,
  );
}

/**
 * @param name a phase's id, the first characters of its id, its label, or `project/phase` with any of these on both sides
 * @throws RpcFailure `not_found`, `ambiguous_name` with the matches
 */
export function resolvePhase<T extends NamedPhase>(name: string, phases: readonly T[]): T {
  const show = (item: T) =>
    `${item.project.label ?? item.project.id.slice(0, 12)}/${item.label ?? ''} (${item.id.slice(0, 12)})`;
  // Labels may hold slashes themselves, so every way of cutting the name is tried. All ways count: whoever adds this member
  // to a phase chooses its label, and "permit/intake" must not hide the phase "intake" of the project "permit".
  const found = new Set<T>(candidates(name, phases));
  for (let at = name.indexOf('/'); at !== -1; at = name.indexOf('/', at + 1)) {
    const projectName = name.slice(0, at);
    const inside = phases.filter(
      phase => candidates(projectName, [{ id: phase.project.id, label: phase.project.label }]).length > 0,
    );
    for (const phase of candidates(name.slice(at + 1), inside)) found.add(phase);
  }
  return one(name, 'phase', [...found], show);
}
