import type { PhaseId } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import type { CopiesWanted, StagedFile, StageInput } from '../../rpc/api.ts';
import type { PutResult } from '../../services/files/local-files.ts';
import type { RecordFile } from '../../services/records/payload.ts';
import { KnownFiles, type KnownFilesNode } from './known-files.ts';

/** What a record says of a file, except how people call it. */
type StoredFile = Omit<RecordFile, 'name' | 'mediaType'>;

interface Staged {
  readonly phase: PhaseId;
  readonly file: StoredFile;
  /** True when the file was in the phase, or staged for it, before. */
  reused: boolean;
  /** True once a record was sent of which nobody knows whether it is committed: the file is not this node's to delete. */
  sent: boolean;
}

/**
 * Files that are stored and that no record names yet, with the content keys that only the record will hold: in memory, so that a
 * key is never on the disk in the open. A restart forgets them, and their blocks are dropped later.
 */
export class Staging {
  private readonly staged = new Map<string, Staged>();
  private readonly known: KnownFiles;
  private last = 0;

  constructor(private readonly node: KnownFilesNode) {
    this.known = new KnownFiles(node);
    node.files.keepWhile(cid => [...this.staged.values()].some(({ file }) => file.cid === cid));
  }

  /** All or none. @throws what a source and the disk throw */
  async stage(
    phase: PhaseId,
    files: readonly StageInput[],
    signal: AbortSignal,
  ): Promise<readonly StagedFile[]> {
    const sources = files.map(({ source }) => source);
    const known = files.every(file => file.bytes !== null);
    const bytes = known ? files.reduce((sum, file) => sum + (file.bytes ?? 0), 0) : null;
    const puts = await this.node.files.putFiles(sources, { phase, bytes, signal });
    await this.known.refresh(phase);
    const staged: StagedFile[] = [];
    for (const put of puts) staged.push(await this.enter(phase, put));
    return staged;
  }

  private async enter(phase: PhaseId, put: PutResult): Promise<StagedFile> {
    // no turn of the event loop between looking for a twin and being one
    const same = (await this.known.find(phase, put)) ?? this.twin(phase, put);
    const file = same ?? put;
    const reused = same !== null;
    this.last += 1;
    const id = String(this.last);
    this.staged.set(id, { phase, file, reused, sent: false });
    if (reused) await this.node.files.discardFile(put.cid);
    return { id, cid: file.cid, bytes: file.plaintextBytes, sha256: file.plaintextHash, reused };
  }

  /** Null of a file that is not staged any more, or not here any more: a record of it would name nothing. */
  file(id: string): (StoredFile & { readonly reused: boolean }) | null {
    const given = this.staged.get(id);
    if (given === undefined || !this.node.files.isReady(given.phase, given.file.cid)) return null;
    return { ...given.file, reused: given.reused };
  }

  /** Spreads staged files before a record names them. @returns why not, when that did not come about in time */
  async replicate(
    phase: PhaseId,
    files: readonly StoredFile[],
    wanted: CopiesWanted,
    signal: AbortSignal,
  ): Promise<Reject | null> {
    if (files.length === 0) return null;
    const { onProgress } = wanted;
    // a file that the phase had already may have lost copies since
    const state = await this.node.files.replicate(phase, files, {
      ...{ copies: wanted.copies, waitMs: wanted.waitMs, signal },
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    if (isReject(state)) return state;
    if (state.copies >= state.wanted) return null;
    const fewest = state.holders.find(members => members.length === state.copies) ?? [];
    const said = `${state.copies} of ${state.wanted} copies after ${Math.round(wanted.waitMs / 1000)} s`;
    const detail = `${said}: at ${fewest.join(', ')}; the others were not reached, have no room, or were not done`;
    return reject('too_few_copies', detail, 'ignore');
  }

  /** Forgets a file that a record names. */
  release(id: string): void {
    this.staged.delete(id);
  }

  /** After a record was sent that may be committed, or not: what no record comes to name is garbage later. */
  mayBeNamed(ids: readonly string[]): void {
    for (const id of ids) {
      const given = this.staged.get(id);
      if (given !== undefined) given.sent = true;
    }
  }

  async discard(id: string): Promise<void> {
    const given = this.staged.get(id);
    this.staged.delete(id);
    if (given === undefined || given.reused || given.sent) return;
    const heir = [...this.staged.values()].find(({ file }) => file.cid === given.file.cid);
    if (heir !== undefined) heir.reused = false;
    else await this.node.files.discardFile(given.file.cid);
  }

  private twin(phase: PhaseId, put: StoredFile): StoredFile | null {
    for (const { phase: other, file } of this.staged.values()) {
      const isSame = other === phase && file.plaintextHash === put.plaintextHash;
      if (isSame && this.node.files.isReady(phase, file.cid)) return file;
    }
    return null;
  }
}
