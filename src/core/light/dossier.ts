import type { Hash, LogId, Sha256 } from '../base/ids.ts';
import { isReject, type Reject } from '../base/reject.ts';
import type { ScopeRef } from '../codec/state.ts';
import { tagBytes } from '../codec/tags.ts';
import { bodyId, decodeSignedTransaction, encodeLeaf } from '../codec/transaction.ts';
import { Writer } from '../codec/writer.ts';
import type { Frontier } from '../merkle/log.ts';
import type { MapOpening } from '../merkle/map-opening.ts';
import type { CertifiedHeader } from '../types/chain.ts';
import type { LogEntry } from '../types/state.ts';
import type { Claim } from './claims.ts';
import type { FieldProof } from './fields.ts';
import type { LogItem } from './log-update.ts';
import type { SetChange } from './trust.ts';

/** What a head's map says of one log, and the siblings on the way to its root. */
export interface ProvenEntry {
  readonly entry: LogEntry;
  readonly siblings: readonly Hash[];
}

/** A leaf without what its place says already: log, position and transaction id. */
export interface DossierItem {
  readonly height: number;
  readonly timeMs: number;
  readonly outcome: number;
  /** Encoded `SignedTransaction` with this scope's parts only; a payload may be left out. */
  readonly transaction: Uint8Array;
}

/** Leaves of a log without a gap, proven under the head: all, some, or none of them. Their root is for the verifier to compute. */
export interface DossierLog extends ScopeRef {
  /** Leaves of the log at the head, and the digest of its state. */
  readonly size: number;
  readonly digest: Hash;
  /** Encoded scope state, or null. */
  readonly state: Uint8Array | null;
  /** Of the leaves before the first item. */
  readonly frontier: Frontier;
  readonly items: readonly DossierItem[];
  /** What is right of the last item (`hashesRightOf`). */
  readonly right: readonly Hash[];
}

/** Some members as the system state has them: with its other sections hidden behind hashes. */
export interface ProvenMembers {
  /** Size and root of the system log. */
  readonly size: number;
  readonly root: Hash;
  /** Number of sections of the system state (`systemSections`). */
  readonly sections: number;
  /** Ascending by index. */
  readonly members: readonly ProvenMember[];
  /** What the RFC 9162 root over the sections needs besides (`hashesBeside`). */
  readonly beside: readonly Hash[];
}

export interface ProvenMember {
  /** Index of the section; 0 is no member. */
  readonly index: number;
  readonly member: Uint8Array;
}

/** Where a record stands: its own leaf, or one item of the leaf that handed it over. */
export interface RecordPlace {
  readonly logId: LogId;
  readonly position: number;
  /** Index in the items of a handover; null for a record's own leaf. */
  readonly item: number | null;
}

/** The content key discloses this one payload, and the keys of the files in it. */
export interface Opening extends RecordPlace {
  /** 32 bytes. */
  readonly contentKey: Uint8Array;
}

/** A content key for one recipient, sealed by HPKE (`recipientInfo`). */
export interface SealedOpening extends RecordPlace {
  /** Sealing key, 33 bytes. */
  readonly recipient: Uint8Array;
  readonly sealed: Uint8Array;
}

export interface ShownField extends RecordPlace {
  readonly field: FieldProof;
}

export interface DossierFile extends RecordPlace {
  readonly cid: string;
  readonly ciphertextBytes: number;
}

/**
 * Evidence that a third party verifies offline, given the chain's genesis: of a phase, of one record, or for a single claim; a
 * proof is a small dossier. `dossier-codec.ts` has the file, docs/PROTOCOL.md its description.
 */
export interface Dossier {
  /** Every block that changed the validator set, oldest first. */
  readonly setChanges: readonly SetChange[];
  /** The height that the dossier speaks of. */
  readonly head: CertifiedHeader;
  /** The head's map on the paths to the logs, and to the system log where there are members. */
  readonly map: MapOpening;
  /** Keys of the authors, and of those whom claims are about. */
  readonly members: ProvenMembers | null;
  readonly logs: readonly DossierLog[];
  readonly claims: readonly Claim[];
  readonly openings: readonly Opening[];
  readonly sealed: readonly SealedOpening[];
  readonly fields: readonly ShownField[];
  readonly files: readonly DossierFile[];
}

export const NOTHING_SHOWN = { claims: [], openings: [], sealed: [], fields: [], files: [] } as const;

/** HPKE info of a content key that is sealed to somebody: it opens for this record only, in this log only [84]. */
export function recipientInfo(chainId: Hash, { logId, position, item }: RecordPlace): Uint8Array {
  const writer = new Writer().raw(tagBytes('dossierRecipient')).hash(chainId).hash(logId).u64(position);
  return writer.u32(item ?? 0xffff_ffff).finish();
}

/** The leaf and transaction of an item at its place, as a log has them. */
export function logItemOf(
  sha256: Sha256,
  logId: LogId,
  position: number,
  item: DossierItem,
): LogItem | Reject {
  const { height, timeMs, outcome, transaction } = item;
  const signed = decodeSignedTransaction(transaction);
  if (isReject(signed)) return signed;
  const transactionId = bodyId(sha256, signed.body);
  return { leaf: encodeLeaf({ logId, position, height, timeMs, transactionId, outcome }), transaction };
}
