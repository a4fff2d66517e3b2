import { concatBytes, utf8 } from '../base/bytes.ts';
import type { MemberId, Sha256 } from '../base/ids.ts';
import type { CopiesPolicy } from '../types/flow.ts';

/**
 * Who should hold a file: rendezvous hashing (Thaler, Ravishankar 1998). Every node computes the same list from the chain
 * alone, and a participant that comes or goes moves only the files that it gains or loses.
 */
export function rankHolders(sha256: Sha256, cid: string, members: readonly MemberId[]): readonly MemberId[] {
  const zero = new Uint8Array(1);
  const weighed = members.map(member => ({
    member,
    weight: sha256(concatBytes(utf8(cid), zero, utf8(member))),
  }));
  weighed.sort((a, b) => (a.weight < b.weight ? -1 : a.weight > b.weight ? 1 : 0));
  return weighed.map(({ member }) => member);
}

/** Copies that the phase works towards; a target of 0 means every participant. */
export function copiesWanted(policy: CopiesPolicy, participants: number): number {
  return policy.copiesTarget === 0 ? participants : Math.min(policy.copiesTarget, participants);
}

export interface PlacementInput {
  readonly cid: string;
  readonly policy: CopiesPolicy;
  /** Who put the file: it stored it before the record was sent, so it counts on before its receipt is in the log. */
  readonly author: MemberId;
  /** Current participants. */
  readonly participants: readonly MemberId[];
  /** Members whose receipts the log has, former participants among them. */
  readonly receipts: readonly MemberId[];
  /** Members whose nodes have not been reached for too long: what they signed for counts as missing. */
  readonly gone?: readonly MemberId[];
}

export interface Placement {
  /** Members that should hold the file, in order of rank. */
  readonly desired: readonly MemberId[];
  /** Current participants that signed to hold it: the k of "k of n". */
  readonly holders: readonly MemberId[];
  /** The n. */
  readonly wanted: number;
  /** Of the holders that are not gone. `short`: fewer copies than the policy's minimum. */
  readonly condition: 'complete' | 'filling' | 'short';
}

/**
 * Participants that hold the file already stand before others, so that a change of the list copies no more than it must;
 * then the author, and the rest by rank; who is gone comes last.
 */
export function placeFile(sha256: Sha256, input: PlacementInput): Placement {
  const { author, cid, policy, participants } = input;
  const signed = new Set(input.receipts);
  const ranked = rankHolders(sha256, cid, participants);
  const holders = ranked.filter(member => signed.has(member));
  const wanted = copiesWanted(policy, participants.length);
  const gone = new Set(input.gone);
  const here = holders.filter(member => !gone.has(member));
  const others = ranked.filter(member => !signed.has(member) && !gone.has(member));
  const candidates = [
    ...here,
    ...others.filter(member => member === author),
    ...others.filter(member => member !== author),
    ...holders.filter(member => gone.has(member)),
    ...ranked.filter(member => gone.has(member) && !signed.has(member)),
  ];
  const desired = candidates.slice(0, wanted);
  const minimum = Math.min(policy.copiesMinimum, participants.length);
  const enough = here.length >= wanted;
  const condition = enough ? 'complete' : here.length < minimum ? 'short' : 'filling';
  return { desired, holders, wanted, condition };
}

/** The order in which a node asks the holders, another one for each node and file, so that they share the load. */
export function sourceOrder(
  sha256: Sha256,
  cid: string,
  self: MemberId,
  holders: readonly MemberId[],
): readonly MemberId[] {
  return rankHolders(
    sha256,
    `${cid}/${self}`,
    holders.filter(member => member !== self),
  );
}
