import type { PhaseId } from '../../core/base/ids.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { FileDag } from '../../ports/file-dag.ts';
import type { FilesBlock } from '../../wire/files.ts';
import type { FileIndex, RootRecord } from './file-index.ts';
import type { Sources } from './sources.ts';

/** A leaf of the profile: a file of at most so many ciphertext bytes is one block. */
export const SMALL_FILE_BYTES_MAX = 1024 * 1024;

export interface SmallFetchConfig {
  readonly blobs: BlobStore;
  readonly dag: FileDag;
  readonly index: FileIndex;
  readonly sources: Sources;
}

/**
 * Fetches files of one block each with one request, one write and one flush, from one source.
 * @param claims what is known of each file; none of them has a block here
 * @returns roots of the files that are here whole now; for the others the long way is left
 */
export async function fetchSmall(
  { blobs, dag, index, sources }: SmallFetchConfig,
  phase: PhaseId,
  claims: ReadonlyMap<string, RootRecord>,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const roots = [...claims.keys()];
  const peer = sources.candidates({ phase, root: roots[0]! })[0];
  if (peer === undefined) return new Set();
  const answer = await sources.small(peer, phase, roots, signal);
  if ('fault' in answer) {
    if (answer.liar) sources.penalise(peer, { phase, root: roots[0]! }, answer.fault);
    return new Set();
  }
  const sound: FilesBlock[] = [];
  for (const block of answer.blocks) {
    const node = dag.parseBlock(block.cid, block.bytes);
    if (node === null) {
      sources.penalise(peer, { phase, root: block.cid }, 'wrong_bytes');
      break;
    }
    // another length than the record's, or a tree: the long way says so
    if (node.children.length > 0 || node.contentBytes !== claims.get(block.cid)!.ciphertextBytes) continue;
    sound.push(block);
  }
  if (signal.aborted || sound.length === 0) return new Set();
  await index.nameRoots(sound.map(({ cid }) => cid));
  await blobs.putMany(sound);
  await index.addWhole(sound.map(({ cid }) => ({ root: cid, record: claims.get(cid)!, cids: [cid] })));
  return new Set(sound.map(({ cid }) => cid));
}
