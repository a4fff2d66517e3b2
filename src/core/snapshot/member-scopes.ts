import { partakersOf } from '../access/standing.ts';
import type { Hash, MemberId } from '../base/ids.ts';
import { isReject, type Reject } from '../base/reject.ts';
import {
  decodePhaseState,
  decodeProjectState,
  encodeCount,
  encodeScopeRef,
  type ScopeRef,
  STATE_KEYS,
} from '../codec/state.ts';

/** Everybody who ever had a part in a scope, each once: what its certified state says. */
export function membersOf(ref: ScopeRef, state: Uint8Array): readonly MemberId[] | Reject {
  if (ref.scope === 'system') return [];
  if (ref.scope === 'project') {
    const project = decodeProjectState(state);
    return isReject(project) ? project : [project.owner];
  }
  const phase = decodePhaseState(state);
  if (isReject(phase)) return phase;
  const { owner, former } = phase;
  return [...new Set([owner, ...partakersOf(phase), ...former.map(({ member }) => member)])];
}

/**
 * The index member → scopes, which no digest covers, made anew. Its order is that of the map keys, where a node that
 * executed every block has the order of time: no rule of execution depends on it.
 */
export class MemberScopes {
  private readonly byMember = new Map<MemberId, ScopeRef[]>();

  add(ref: ScopeRef, members: readonly MemberId[]): void {
    for (const member of members) {
      const scopes = this.byMember.get(member);
      if (scopes === undefined) this.byMember.set(member, [ref]);
      else scopes.push(ref);
    }
  }

  entries(): Map<string, Uint8Array> {
    const state = new Map<string, Uint8Array>();
    for (const [member, scopes] of this.byMember) {
      state.set(STATE_KEYS.memberScopeCount(member), encodeCount(scopes.length));
      for (const [index, ref] of scopes.entries()) {
        state.set(STATE_KEYS.memberScope(member, index), encodeScopeRef(ref));
      }
    }
    return state;
  }
}

/** Where the state of a scope stands. */
export function scopeStateKey({
  scope,
  id,
}: {
  readonly scope: ScopeRef['scope'];
  readonly id: Hash;
}): string {
  if (scope === 'system') return STATE_KEYS.system;
  return scope === 'project' ? STATE_KEYS.project(id) : STATE_KEYS.phase(id);
}
