import type { Client } from '../../client/client.ts';

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
