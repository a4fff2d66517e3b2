import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FileDag } from '../../ports/file-dag.ts';
import type { OperatingError } from '../../ports/lifecycle.ts';
import { entryOf } from './access.ts';
import type { FetchFault } from './file-fetch.ts';
import type { FileIndex, RootRecord } from './file-index.ts';
import type { FileEntry, FileLedger } from './ledger.ts';
import type { FilesLimits } from './limits.ts';
import type { Usage } from './usage.ts';

export interface ClaimsConfig {
  readonly blobs: Pick<BlobStore, 'delete'>;
  readonly dag: FileDag;
  readonly index: FileIndex;
  readonly ledger: FileLedger;
  readonly usage: Usage;
  readonly clock: Clock;
  readonly limits: FilesLimits;
}

/** What a record says of a file, as far as fetching goes. */
export type Wanted = Pick<FileEntry, 'phase' | 'cid' | 'keyCommitment' | 'ciphertextBytes'>;

/** A copy that came by the right of other records is not touched for this one. */
export const WITHHELD: NonNullable<FetchFault> = {
  reason: 'this node has the file by the records of another phase, and for that phase only',
  permanent: true,
};

/** True when the file that this node has is the one that a record of the phase asks for, and may be had for it. */
export function isOf(
  ledger: FileLedger,
  { phase, cid, keyCommitment, ciphertextBytes }: Wanted,
  record: RootRecord,
): boolean {
  const same = record.keyCommitment === keyCommitment && record.ciphertextBytes === ciphertextBytes;
  return same && entryOf(ledger, phase, cid, record) !== null;
}

/**
 * What is known of the file from now on, or why it is not to be fetched: this node may not have it, has no room for
 * it, or has another claim to it. A claim stands from the root block on: what never brought one, a record with a wrong
 * length say, keeps nobody else's file away.
 * @param checkDisk for many files at once, what was found for all of them
 */
export async function claim(
  { blobs, clock, dag, index, ledger, limits, usage }: ClaimsConfig,
  wanted: Wanted,
  checkDisk: (bytes: number) => Promise<OperatingError | null> = bytes => usage.checkDisk(bytes),
): Promise<RootRecord | NonNullable<FetchFault>> {
  const { cid, phase, keyCommitment, ciphertextBytes } = wanted;
  if (!ledger.phase(phase)?.readers.includes(ledger.member))
    return { reason: 'this member is not in the phase any more', permanent: true };
  if (ledger.purgeOf(phase, cid) !== null) return { reason: 'purged', permanent: true };
  // a record may name anything as its file (SCENARIOS 88)
  if (!dag.isCid(cid)) return { reason: 'the record names no file CID', permanent: true };
  if (ciphertextBytes > limits.fileBytesMax) {
    const reason = `the file has ${ciphertextBytes} bytes, this node takes at most ${limits.fileBytesMax}`;
    return { reason, permanent: true };
  }
  const known = index.root(cid);
  if (known !== null && index.holds(cid, cid)) return isOf(ledger, wanted, known) ? known : WITHHELD;
  const refusal = known === null ? usage.checkQuota(phase, ciphertextBytes) : null;
  const full = refusal ?? (await checkDisk(ciphertextBytes));
  if (full !== null) return { reason: full.message, permanent: false };
  await index.markUnclean();
  // Pieces that a crash left came by the right of another record: nobody gets them by this one (SCENARIOS 82).
  if (known !== null && !isOf(ledger, wanted, known)) {
    for await (const block of index.removeBlocks(cid)) await blobs.delete(block);
  }
  const sinceMs = known?.sinceMs ?? clock.nowMs();
  const record = { whole: false, phase, keyCommitment, ciphertextBytes, sinceMs, charge: phase };
  if (known !== null) usage.remove(known);
  usage.add(record);
  return record;
}
