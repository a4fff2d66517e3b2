/** Every limit of the format, with its unit. Limits that operators may change are `Parameters`. */
export const LIMITS = {
  memberNameBytes: 128,
  labelBytes: 256,
  /** A sealed card, with the schemas of its record types. */
  cardBytes: 64 * 1024,
  projectCardBytes: 4 * 1024,
  peerIdBytes: 128,
  peerIdsPerMember: 16,
  keysPerMember: 1024,
  /** Of those, users' ones: a member that adds users for ever can still change its own key. */
  userKeysPerMember: 768,
  /** And those that only ballots give: whoever has stolen a key cannot use up the places for another. */
  ballotKeysPerMember: 16,
  validatorsMax: 128,
  membersMax: 16_384,
  administratorsMax: 64,
  /** Open proposals of one administrator, so that none can take the places of the others. */
  proposalsPerMember: 4,
  closedProposals: 32,
  proposalsMax: 64 * 4 + 32,
  actionsPerProposal: 32,
  ballotsPerProposal: 64,
  addressesPerValidator: 4,
  addressBytes: 128,
  evidenceBodyBytes: 256 * 1024,
  evidenceRecords: 256,
  /** Against one validator of one set: these convict it, more say nothing new. */
  evidencePerValidator: 4,
  scopesPerTransaction: 16,
  partsPerTransaction: 32,
  partBytes: 4 * 1024 * 1024,
  bodyBytes: 8 * 1024,
  transactionBytes: 8 * 1024 * 1024,
  batchTreeSize: 64,
  batchPathLength: 6,
  phasesPerProject: 1024,
  participantsPerPhase: 256,
  /** Ranges of former participants, and those of the present ones, which become former. */
  formerPerPhase: 65_536,
  predecessorsPerPhase: 64,
  /** Phases whose predecessors one transaction changes. */
  rewiringsPerChange: 256,
  requestsPerPhase: 16,
  /** Records that a request names; one for all of a phase names none. */
  recordsPerRequest: 256,
  /** Projects and phases that one member ever had a part in. Its revocation touches each of them, within one block. */
  scopesPerMember: 16_384,
  leafBytes: 256,
  epochsPerPhase: 65_536,
  envelopeBytes: 4 * 1024 * 1024,
  wrappedKeyBytes: 256,
  /** Holders of shares of one phase. */
  recoveryHolders: 32,
  sealedShareBytes: 256,
  filesPerRecord: 256,
  referencesPerRecord: 256,
  receiptsPerTransaction: 256,
  /** Records that one purge names in its own phase, and in others. */
  referencesPerPurge: 1024,
  itemsPerHandover: 1024,
  /** Of an item in the tree of a handover's items. */
  handoverPathLength: 10,
  /** How often one record is handed on; its items grow with every time. */
  handoversPerRecord: 64,
  cidBytes: 96,
  stateBytes: 16 * 1024 * 1024,
  blockEntries: 65_536,
} as const;

/** Largest size of a fixed-size field, in bytes. */
export const SIZES = { publicKey: 33, signature: 64, salt: 32, hash: 32, contentKey: 32 } as const;

/** Format versions that this program writes; a change goes through governance (DESIGN.md section 3). */
export const VERSIONS = { header: 1, transaction: 1 } as const;

/** Protocol versions whose blocks this program can execute; it stops below the first block of another one. */
export const KNOWN_PROTOCOL_VERSIONS: readonly number[] = [VERSIONS.header];
