import { assertDefined } from '../base/assert.ts';
import type { Member, MemberKey, OwnKey, UserKey } from '../types/state.ts';

/** The key id, and the key itself. */
export interface OwnKeyEntry {
  readonly keyId: number;
  readonly key: OwnKey;
}

function isOwn(key: MemberKey): key is OwnKey {
  return key.user === null;
}

/** What others seal to and the member's node signs with: the last of its own keys, whatever users' keys came after it. */
export function ownKeyOf({ keys }: Pick<Member, 'keys'>): OwnKeyEntry {
  const key = assertDefined(keys.findLast(isOwn), 'a member has a key of its own from its registration on');
  return { keyId: keys.lastIndexOf(key), key };
}

/** Users' keys that are not ended, with their key ids. */
export function openUserKeys({
  keys,
}: Pick<Member, 'keys'>): { readonly keyId: number; readonly key: UserKey }[] {
  return keys.flatMap((key, keyId) => (key.user !== null && key.untilHeight === 0 ? [{ keyId, key }] : []));
}

/** Ends those that are open and chosen; `untilHeight` is the first height without them. */
export function endKeys(
  keys: readonly MemberKey[],
  untilHeight: number,
  isChosen: (key: MemberKey) => boolean,
): MemberKey[] {
  return keys.map(key => (key.untilHeight === 0 && isChosen(key) ? { ...key, untilHeight } : key));
}
