import { OperatingError } from '../ports/lifecycle.ts';

const CHECK_DISK = 'Check free space and the health of the disk, then start again.';
const MAKE_ROOM =
  'Free some space: the node goes on serving what it has, and takes files again when there is room.';

/** What a system answers for what its disk cannot give any more. */
const UNREADABLE: ReadonlySet<string> = new Set(['EIO', 'EBADMSG', 'EUCLEAN', 'ENODATA']);
const UNREADABLE_WORDS = /input\/output error|bad message|structure needs cleaning|no data available/i;

/** The code of a system error, also of one that a library wrapped. */
function systemCode(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ('code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code)) return error.code;
  return systemCode(error.cause);
}

function isFull(error: unknown): boolean {
  const code = systemCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') return true;
  // LevelDB passes the system's words on and no code
  return error instanceof Error && (/no space left/i.test(error.message) || isFull(error.cause));
}

/** True for a sector that cannot be read: as good as rot, and mended by writing the block anew. */
export function isUnreadable(error: unknown): boolean {
  const code = systemCode(error);
  if (code !== null) return UNREADABLE.has(code);
  // LevelDB, as above
  return error instanceof Error && (UNREADABLE_WORDS.test(error.message) || isUnreadable(error.cause));
}

/** @param what as in "cannot … the files in DIR" */
export function blobFailure(
  what: string,
  place: string,
  cause: unknown,
  hint: string = CHECK_DISK,
): OperatingError {
  return isFull(cause)
    ? new OperatingError('disk_full', `the disk below ${place} is full`, MAKE_ROOM, cause)
    : new OperatingError('blob_store_failed', `cannot ${what} the files in ${place}`, hint, cause);
}
