import { concatBytes, utf8 } from '../base/bytes.ts';

/**
 * One purpose, one tag: the tag opens every byte string that is hashed or signed, so that no signature or digest
 * can be replayed as another (SCENARIOS 37). A tag is `phaseline/1/<purpose>` and a zero byte.
 */
export const TAGS = {
  genesis: 'genesis',
  header: 'header',
  blockEntry: 'block-entry',
  logId: 'log-id',
  leaf: 'leaf',
  part: 'part',
  transactionBody: 'transaction-body',
  transactionWrapper: 'transaction-wrapper',
  transactionSignature: 'transaction-signature',
  memberCard: 'member-card',
  memberUser: 'member-user',
  userName: 'user-name',
  mapKey: 'map-key',
  mapLeaf: 'map-leaf',
  mapBranch: 'map-branch',
  mapEntry: 'map-entry',
  scopeState: 'scope-state',
  systemState: 'system-state',
  validatorSet: 'validator-set',
  validatorKey: 'validator-key',
  prePrepare: 'pbft-pre-prepare',
  prepare: 'pbft-prepare',
  commit: 'pbft-commit',
  checkpoint: 'pbft-checkpoint',
  viewChange: 'pbft-view-change',
  newView: 'pbft-new-view',
  status: 'pbft-status',
  complaint: 'pbft-complaint',
  freshHead: 'fresh-head',
  epochSecret: 'epoch-secret',
  keyCommitment: 'key-commitment',
  payloadKey: 'payload-key',
  fileKey: 'file-key',
  wrappedKey: 'wrapped-key',
  envelope: 'hpke-envelope',
  recoverySecret: 'recovery-secret',
  recoveryShare: 'hpke-recovery-share',
  recoveryOffer: 'hpke-recovery-offer',
  recoveryHistory: 'hpke-recovery-history',
  handover: 'hpke-handover',
  handoverItem: 'handover-item',
  recordPayload: 'record-payload',
  recordField: 'record-field',
  dossierRecipient: 'dossier-recipient',
  projectCard: 'project-card',
  managerChallenge: 'manager-challenge',
  managerRequest: 'manager-request',
  dossier: 'dossier',
  possession: 'possession',
  purgeCertificate: 'purge-certificate',
} as const;

export type TagName = keyof typeof TAGS;

const bytesOf = new Map<TagName, Uint8Array>(
  (Object.keys(TAGS) as TagName[]).map(name => [name, utf8(`phaseline/1/${TAGS[name]}\0`)]),
);

export function tagBytes(name: TagName): Uint8Array {
  return bytesOf.get(name) as Uint8Array;
}

export function tagged(name: TagName, ...parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes(tagBytes(name), ...parts);
}
