/**
 * What became of a transaction that a block contains. The numbers are part of the chain: never reuse or renumber.
 * `docs/PROTOCOL.md` lists them with their hints.
 */
export const OUTCOMES = {
  committed: 0,
  malformed: 1,
  expired: 2,
  unknownSender: 3,
  revokedKey: 4,
  notAdministrator: 10,
  memberExists: 11,
  unknownMember: 12,
  memberRevoked: 13,
  badProof: 14,
  peerIdTaken: 15,
  lastAdministrator: 16,
  isAdministrator: 17,
  projectExists: 20,
  unknownProject: 21,
  notOwner: 22,
  projectArchived: 23,
  staleVersion: 24,
  limitReached: 25,
  phaseExists: 30,
  unknownPhase: 31,
  wrongLifecycle: 32,
  cycle: 33,
  notSuccessor: 34,
  notParticipant: 40,
  roleMissing: 41,
  alreadyParticipant: 42,
  staleMembership: 43,
  staleEpoch: 44,
  phaseFrozen: 45,
  badEnvelopes: 46,
  custodyForbids: 47,
  lastSteward: 48,
  unknownRecord: 50,
  wrongScopes: 51,
  approvalMissing: 60,
  unknownRequest: 61,
  requestOver: 62,
  requestExists: 63,
  approvalNotNeeded: 64,
  unknownProposal: 80,
  proposalClosed: 81,
  proposalExpired: 82,
  alreadyVoted: 83,
  notProposer: 84,
  unknownValidator: 85,
  validatorExists: 86,
  consensusKeyTaken: 87,
  setTooSmall: 88,
  setTooLarge: 89,
  setChangedInBlock: 90,
  badParameters: 91,
  badAdministrators: 92,
  badActivation: 93,
  evidenceKnown: 94,
  badEvidence: 95,
} as const;

export type OutcomeName = keyof typeof OUTCOMES;

const names = new Map<number, OutcomeName>(
  (Object.entries(OUTCOMES) as [OutcomeName, number][]).map(([name, code]) => [code, name]),
);

export function outcomeName(code: number): OutcomeName | null {
  return names.get(code) ?? null;
}
