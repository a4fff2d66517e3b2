import type { PhaseId } from '../../core/base/ids.ts';
import { type Reject, reject } from '../../core/base/reject.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { RootRecord } from './file-index.ts';
import type { FileEntry, FileLedger } from './ledger.ts';

export const NOT_PERMITTED: Reject = reject('not_permitted', 'no such file for this member', 'ignore');

/** True when the peer's member reads the phase now. */
export function isReader(ledger: FileLedger, peer: PeerId, phaseId: PhaseId): boolean {
  const member = ledger.memberOfPeer(peer);
  return member !== null && ledger.phase(phaseId)?.readers.includes(member) === true;
}

/**
 * Null when the peer's member may ask for `root` as part of `phase` now. One refusal for every reason, so that a stranger does
 * not learn which phases and files exist (SCENARIOS 82). What there is to serve, `entryOf` says.
 */
export function checkFetch(ledger: FileLedger, peer: PeerId, phaseId: PhaseId, root: string): Reject | null {
  const permitted = isReader(ledger, peer, phaseId) && ledger.entries(phaseId, root).length > 0;
  return permitted ? null : NOT_PERMITTED;
}

function describes(entry: FileEntry, file: RootRecord): boolean {
  return entry.keyCommitment === file.keyCommitment && entry.ciphertextBytes === file.ciphertextBytes;
}

/** Written by the own member, not handed over by it. */
function isOwn(ledger: FileLedger, entry: FileEntry): boolean {
  return entry.author === ledger.member && entry.origin === entry.record;
}

/** Records by which the file came to be this node's: those of the phase it came through, or those its own member wrote, purged or not. */
function grounds(ledger: FileLedger, root: string, file: RootRecord): readonly FileEntry[] {
  const known =
    file.phase === null
      ? ledger
          .phases()
          .flatMap(phase => ledger.references(phase, root))
          .filter(entry => isOwn(ledger, entry))
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
  const own = file.phase === null ? named.find(entry => isOwn(ledger, entry)) : undefined;
  if (own !== undefined) return own;
  const origins = new Set(grounds(ledger, root, file).map(entry => entry.origin));
  return named.find(entry => origins.has(entry.origin)) ?? null;
}
