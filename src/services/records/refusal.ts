import type { MemberId } from '../../core/base/ids.ts';
import type { Reject } from '../../core/base/reject.ts';
import { type OutcomeName, outcomeName } from '../../core/types/outcome.ts';
import type { Member } from '../../core/types/state.ts';
import { OperatingError } from '../../ports/lifecycle.ts';

/** A refusal that reaches a person: what it is about is in `detail`, what to do next in `hint`. */
export interface Refusal extends Reject {
  readonly hint: string;
}

/** @param hint one sentence */
export function refuse(code: string, detail: string, hint: string): Refusal {
  return { reject: code, detail, hint, peer: 'ignore' };
}

const TRY_AGAIN = 'It changed meanwhile: look at it and try again.';

/** What to do after the ledger refused; every outcome has a line. */
const HINTS: { readonly [O in OutcomeName]: string } = {
  committed: 'Nothing: it is committed.',
  malformed: 'This program and the chain disagree about the format: compare their versions.',
  expired: 'Nothing of it was written: send it again.',
  unknownSender: 'An administrator must register this member first.',
  revokedKey: 'This key is no longer valid: use the current one, or ask an administrator.',
  notAdministrator: 'Only an administrator of the consortium may do this.',
  memberExists: 'Choose another member id, or rotate the keys of the existing member.',
  unknownMember: 'An administrator must register the member first.',
  memberRevoked: 'A revoked member cannot take part again: register a new one.',
  badProof: 'The card must be signed with its own new signing key, for this chain.',
  peerIdTaken: 'A node belongs to one member: use another transport key.',
  lastAdministrator: 'Appoint another administrator first.',
  isAdministrator:
    'Administrators decide about one of them by ballots: phaseline member revoke|suspend makes the proposal.',
  userExists: 'Another key of the member is of this user, or is this key: revoke it first.',
  unknownUser: 'phaseline member user list shows the users of this member.',
  projectExists: 'Create the project again: ids are drawn at random.',
  unknownProject: 'The list of projects shows those that exist.',
  notOwner: 'Only the owner of the project may do this.',
  projectArchived: 'An archived project does not change any more: create a new one.',
  staleVersion: TRY_AGAIN,
  limitReached: 'A limit of the chain is reached: remove something first.',
  phaseExists: 'Add the phase again: ids are drawn at random.',
  unknownPhase: 'The list of phases shows those that exist.',
  wrongLifecycle:
    'The phase must be in another state for this: phaseline phase show PHASE tells the present one.',
  cycle: 'A phase cannot come before itself, not even over others.',
  notSuccessor: 'The target must name the source as a predecessor.',
  notParticipant: 'Only participants of the phase may do this: its owner or a steward can add you.',
  roleMissing: 'Another role is needed: the owner or a steward of the phase can change roles.',
  alreadyParticipant: 'Change the roles of the participant instead.',
  staleMembership: TRY_AGAIN,
  staleEpoch: 'The key epoch changed meanwhile: try again.',
  phaseFrozen: 'Writing is frozen until a steward opens a new key epoch: phaseline phase rotate PHASE.',
  badEnvelopes: 'A member rotated its keys meanwhile: try again.',
  custodyForbids: 'Who makes the keys must hold them: a steward of the phase must do this.',
  lastSteward: 'Make another participant steward first.',
  unknownRecord: 'The list of records shows those of the phase.',
  wrongScopes: 'This program and the chain disagree about the format: compare their versions.',
  approvalMissing:
    'The policy of the phase asks for approvals: phaseline approval list PHASE shows what waits.',
  unknownRequest: 'phaseline approval list PHASE shows the requests that wait.',
  requestOver: 'Its time is over, or the phase or its members changed since: ask again.',
  requestExists: 'The same is asked for already: phaseline approval list PHASE shows it.',
  retained: 'Its phase keeps files longer: phaseline phase show PHASE tells until when.',
  unknownNode:
    "The member's card does not name this node: phaseline member show MEMBER lists those it names.",
  approvalNotNeeded: 'The policy of the phase asks for no approvals of this: do it.',
  memberSuspended: 'Administrators end a suspension: phaseline member resume MEMBER.',
  notSuspended: 'It is not suspended: phaseline member list shows who is.',
  complaintExists: 'One complaint a participant an epoch: a steward opens the next.',
  noRecovery:
    'No shares that could open the phase: one who holds its keys makes them with phaseline phase recovery set.',
  unknownAsk:
    'Nobody who may have the keys waits for it: phaseline phase recovery show PHASE tells who does.',
  alreadyOffered: 'Your share is offered already.',
  badShares: 'Shares are for 2 to 32 members, each once, sealed to its current key: try again.',
  unknownProposal: 'The list of proposals shows those that exist.',
  proposalClosed: 'It is decided already: the list of proposals says how.',
  proposalExpired: 'Its time is over: propose it again.',
  alreadyVoted: 'A ballot stays as it was cast.',
  notProposer: 'Only its proposer withdraws a proposal: reject it instead.',
  unknownValidator: 'The list of validators shows those of the current set.',
  validatorExists: 'Choose another name, or remove the validator of that name first.',
  consensusKeyTaken: 'Make a fresh consensus key: phaseline validator new-key.',
  setTooSmall: 'The network would tolerate no failure any more: add validators first.',
  setTooLarge: 'Remove validators first.',
  setChangedInBlock: 'The validators changed in this very block: vote again.',
  badParameters: 'The values do not fit each other, or the number of validators.',
  badAdministrators:
    'Administrators are active members, sorted by id, and at least as many as the threshold.',
  badActivation: 'A version is higher than the last one, and begins after the proposal expires.',
  evidenceKnown: 'It is recorded already.',
  badEvidence: 'The two messages do not contradict each other, or are not of this validator.',
};

/**
 * The ledger's refusal under the outcome's own name.
 * @param what names the object and the deed, as in "add bob to phase 12ab…"
 */
export function refusalOfOutcome(outcome: number, what: string): Refusal {
  const name = outcomeName(outcome);
  if (name === null) return refuse(`outcome${outcome}`, `cannot ${what}`, HINTS.malformed);
  return refuse(name, `the ledger refused to ${what}: ${name}`, HINTS[name]);
}

export function suspendedDetail({ id, suspendedHeight }: Pick<Member, 'id' | 'suspendedHeight'>): string {
  return `member ${id} is suspended since height ${suspendedHeight}`;
}

export function resumeHint(member: MemberId): string {
  return `Ask an administrator: phaseline member resume ${member}.`;
}

/** Ids are long; people need their beginning only. */
export function short(id: string): string {
  return id.slice(0, 12);
}

/** What seals to a member's key, which may be none: a refusal then, in place of an error. @param detailOf of the message */
export async function sealing(
  sealed: Promise<Uint8Array>,
  detailOf: (message: string) => string = message => message,
): Promise<Uint8Array | Refusal> {
  try {
    return await sealed;
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    return refuse(error.code, detailOf(error.message), error.hint ?? 'Try again.');
  }
}

export function unknownPhase(phase: string): Refusal {
  return refuse('unknown_phase', `no phase ${short(phase)} can be read here`, HINTS.unknownPhase);
}

export function unknownProject(project: string): Refusal {
  return refuse('unknown_project', `no project ${short(project)} can be read here`, HINTS.unknownProject);
}

export function unknownMember(member: string): Refusal {
  return refuse('unknown_member', `there is no member ${member}`, HINTS.unknownMember);
}
