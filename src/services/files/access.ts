import type { PhaseId } from '../../core/base/ids.ts';
import { type Reject, reject } from '../../core/base/reject.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { RootRecord } from './file-index.ts';
import type { FileEntry, FileLedger } from './ledger.ts';

/**
 * Null when the peer's member may ask for `root` as part of `phase` now. One refusal for every reason, so that a stranger does
 * not learn which phases and files exist (SCENARIOS 82). What there is to serve, `entryOf` says.
 */
export function checkFetch(ledger: FileLedger, peer: PeerId, phaseId: PhaseId, root: string): Reject | null {
  const member = ledger.memberOfPeer(peer);
  const reads = member !== null && ledger.phase(phaseId)?.readers.includes(member) === true;
  const permitted = reads && ledger.entries(phaseId, root).length > 0;
  return permitted ? null : reject('not_permitted', 'no such file for this member', 'ignore');
}

function describes(entry: FileEntry, file: RootRecord): boolean {
  return entry.keyCommitment === file.keyCommitment && entry.ciphertextBytes === file.ciphertextBytes;
}

/** Records by which the file came to be this node's: those of the phase it came through, or those its own member wrote, purged or not. */
function grounds(ledger: FileLedger, root: string, file: RootRecord): readonly FileEntry[] {
  const known =
    file.phase === null
      ? ledger
          .phases()
          .flatMap(phase => ledger.references(phase, root))
          .filter(entry => entry.author === ledger.member && entry.origin === entry.record)
      : ledger.references(file.phase, root);
  return known.filter(entry => describes(entry, file));
}

/**
 * The record by which the readers of `phase` may have this node's copy, null when there is none. Whoever knows a CID can name
 * it in a phase, and with it all that the metadata says: that gives nothing. The record must be of the phase that the file
 * came through, or be one of its records handed over, which the ledger has proven, or the own member's (SCENARIOS 82).
 */
export function entryOf(
  ledger: FileLedger,
  phase: PhaseId,
  root: string,
  file: RootRecord,
): FileEntry | null {
  const named = ledger.entries(phase, root).filter(entry => describes(entry, file));
  if (named.length === 0 || file.phase === phase) return named[0] ?? null;
  const origins = new Set(grounds(ledger, root, file).map(entry => entry.origin));
  return named.find(entry => origins.has(entry.origin)) ?? null;
}
