import { assertDefined } from '../base/assert.ts';
import { equalBytes } from '../base/bytes.ts';
import { memberUserBytes } from '../codec/member.ts';
import { findMember } from '../ledger/read.ts';
import { LIMITS } from '../types/limits.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { UserKey } from '../types/state.ts';
import { endKeys, openUserKeys } from './member-keys.ts';
import { hasKeyPlace, replaceMember } from './members.ts';
import { demand, firstRefusal, type Rule } from './rule.ts';

/** By the member's own key: a user's key speaks in no system log (`checkSender`), so it brings in no other user. */
export const memberUserAdd: Rule<'memberUserAdd'> = {
  scopes: ({ state }) => [state.logIdOf('system', state.chainId)],
  check: ({ suite, state, sender }, [content]) => {
    const { user, signingKey, proof } = content;
    const isTaken = (key: { readonly user: string | null; readonly signingKey: Uint8Array }) =>
      key.user === user || equalBytes(key.signingKey, signingKey);
    const users = sender.keys.filter(key => key.user !== null).length;
    return firstRefusal(
      () => demand(!sender.keys.some(key => key.untilHeight === 0 && isTaken(key)), OUTCOMES.userExists),
      () => demand(users < LIMITS.userKeysPerMember && hasKeyPlace(sender), OUTCOMES.limitReached),
      () =>
        demand(
          suite.verify(signingKey, memberUserBytes(state.chainId, sender.id, signingKey), proof),
          OUTCOMES.badProof,
        ),
    );
  },
  apply: {
    system: (system, { user, signingKey }, { sender, height }) => {
      const member = assertDefined(findMember(system, sender), 'a member that adds a user exists');
      const key: UserKey = { signingKey, fromHeight: height + 1, untilHeight: 0, user, sealingKey: null };
      return replaceMember(system, { ...member, version: member.version + 1, keys: [...member.keys, key] });
    },
  },
};

/** What the user signed up to this block stays valid, and nothing after it is. */
export const memberUserRevoke: Rule<'memberUserRevoke'> = {
  scopes: ({ state }) => [state.logIdOf('system', state.chainId)],
  check: ({ sender }, [{ user }]) =>
    demand(
      openUserKeys(sender).some(({ key }) => key.user === user),
      OUTCOMES.unknownUser,
    ),
  apply: {
    system: (system, { user }, { sender, height }) => {
      const member = assertDefined(findMember(system, sender), 'a member that revokes a user exists');
      const keys = endKeys(member.keys, height + 1, key => key.user === user);
      return replaceMember(system, { ...member, version: member.version + 1, keys });
    },
  },
};
