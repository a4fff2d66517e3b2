import { assertDefined } from '../base/assert.ts';
import type { MemberId } from '../base/ids.ts';
import { findMember } from '../ledger/read.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { SystemState } from '../types/state.ts';
import { replaceMember } from './members.ts';
import { demand, firstRefusal, type Rule } from './rule.ts';
import { isAdministrator } from './standing.ts';

/** Whoever decides: the member is there, and not suspended yet. */
export function checkSuspendable(system: SystemState, id: MemberId): number {
  const member = findMember(system, id);
  if (member === null) return OUTCOMES.unknownMember;
  if (member.revoked) return OUTCOMES.memberRevoked;
  return demand(member.suspendedHeight === 0, OUTCOMES.memberSuspended);
}

/** @param height 0 ends the suspension */
export function withSuspension(system: SystemState, id: MemberId, height: number): SystemState {
  const member = assertDefined(findMember(system, id), 'a member that is suspended exists');
  return replaceMember(system, { ...member, version: member.version + 1, suspendedHeight: height });
}

/**
 * One administrator stops who is none, at once; ballots stop an administrator, and end every suspension. The member keeps its
 * place in phases and its share of new epochs, so that nothing need be sealed again when it comes back.
 */
export const memberSuspend: Rule<'memberSuspend'> = {
  scopes: ({ state }) => [state.logIdOf('system', state.chainId)],
  check: ({ state, sender }, [{ member }]) => {
    const system = state.system();
    return firstRefusal(
      () => demand(isAdministrator(system, sender), OUTCOMES.notAdministrator),
      () => checkSuspendable(system, member),
      () => demand(!system.administrators.includes(member), OUTCOMES.isAdministrator),
    );
  },
  apply: {
    system: (system, { member }, { height }) => withSuspension(system, member, height),
  },
};
