import type { Client } from '../../client/client.ts';
import { CommandFailure, EXIT } from '../failure.ts';

export interface ListedFile {
  readonly cid: string;
  readonly name: string;
  readonly mediaType: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly record: string;
  readonly position: number;
  readonly author: string;
  readonly time: { readonly iso: string };
  /** True when it was purged from the phase: its record stays, and nobody has its bytes. */
  readonly purged: boolean;
}

const RECORDS_PER_CALL = 500;

/**
 * Files of a phase in the order of its log, all pages.
 * @param name null for all; with `/` at the end those whose names begin with it
 */
export async function listFiles(
  client: Pick<Client, 'call'>,
  phase: string,
  name: string | null,
): Promise<readonly ListedFile[]> {
  const files: ListedFile[] = [];
  for (let from: number | null = 0; from !== null; ) {
    const page: { files: ListedFile[]; next: number | null } = await client.call('file_list', {
      ...{ phase, name, from },
      limit: RECORDS_PER_CALL,
    });
    files.push(...page.files);
    from = page.next;
  }
  return files;
}

/** The last file of each name. */
export function newest(files: readonly ListedFile[]): readonly ListedFile[] {
  return [...new Map(files.map(file => [file.name, file])).values()];
}

const CID = /^baf[a-z2-7]{20,93}$/;

export const isCid = (what: string) => CID.test(what);

/**
 * What a name or CID stands for; a name that several files had stands for the last one. A CID that no record names is nothing here:
 * the node answers for it.
 */
export async function findFiles(
  client: Pick<Client, 'call'>,
  what: string,
  phase: string,
): Promise<readonly ListedFile[]> {
  const byCid = isCid(what);
  const files = await listFiles(client, phase, byCid ? null : what);
  const found = newest(byCid ? files.filter(({ cid }) => cid === what) : files);
  if (found.length > 0 || byCid) return found.slice(0, byCid ? 1 : undefined);
  const detail = `no record of the phase names a file "${what}"`;
  const inside = what.endsWith('/') ? [] : await listFiles(client, phase, `${what}/`);
  const hint =
    inside.length > 0
      ? `A directory of the phase has that name: ${what}/ with a slash at the end.`
      : `phaseline file list --phase ${phase} shows the files.`;
  throw new CommandFailure(EXIT.error, detail, hint);
}

/** The CID of one file that is named by its CID or its name. */
export async function cidOf(client: Pick<Client, 'call'>, what: string, phase: string): Promise<string> {
  if (isCid(what)) return what;
  const found = await findFiles(client, what, phase);
  if (found.length > 1) {
    throw new CommandFailure(EXIT.usage, `${what} has ${found.length} files`, 'Name one of them.');
  }
  return found[0]!.cid;
}
