import type { Contents, KindName } from '../types/operation.ts';
import type { PhaseState, ProjectState, SystemState } from '../types/state.ts';
import type { Effects, LeafPlace, PhaseContent } from './rule.ts';
import { RULES } from './rules.ts';

/** A scope's state before or after a leaf; null before the first. */
export type ScopeValue =
  | { readonly scope: 'system'; readonly state: SystemState }
  | { readonly scope: 'project'; readonly state: ProjectState | null }
  | { readonly scope: 'phase'; readonly state: PhaseState | null };

/**
 * Applies one committed leaf to one scope; the state itself when the kind does not change it.
 * @param content the scope's own part, decoded by the kind's layout; unused where the leaf is a derived one
 */
export function applyToScope(
  kind: KindName,
  value: ScopeValue,
  content: unknown,
  place: LeafPlace,
): ScopeValue {
  // the rule table pairs each kind with the effects on its own contents
  const effects = RULES[kind].apply as unknown as Effects<KindName>;
  if (value.scope === 'system') {
    if (effects.system === undefined) return value;
    return { ...value, state: effects.system(value.state, content as Contents[KindName][0], place) };
  }
  if (value.scope === 'project') {
    if (effects.project === undefined) return value;
    return { ...value, state: effects.project(value.state, content as Contents[KindName][0], place) };
  }
  if (effects.phase === undefined) return value;
  return { ...value, state: effects.phase(value.state, content as PhaseContent<KindName>, place) };
}
