import { assertDefined } from '../../core/base/assert.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { DagNode, FileDag } from '../../ports/file-dag.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { FilesBlock } from '../../wire/files.ts';
import type { FileIndex } from './file-index.ts';
import type { FilesLimits } from './limits.ts';
import type { FileAddress, Sources } from './sources.ts';

export interface FileFetchConfig {
  readonly blobs: BlobStore;
  readonly dag: FileDag;
  readonly index: FileIndex;
  readonly sources: Sources;
  readonly limits: FilesLimits;
}

/** Null when the file is here whole; otherwise why not, and whether trying again may help. */
export type FetchFault = { readonly reason: string; readonly permanent: boolean } | null;

interface Wanted {
  readonly cid: string;
  /** What the parent, or for the root the record, says of the content below. */
  readonly contentBytes: number;
}

interface Seat {
  readonly peer: PeerId;
  /** Blocks that this source said it has not. */
  readonly absent: Set<string>;
  /** Set when the source is of no more use in this run. */
  left: boolean;
}

/**
 * One run to make one file whole: walks the tree depth first, takes what is on disk and sound, and asks several sources at once
 * for the rest. Each block is checked against its parent before it is stored, so a run that was cut goes on where it was.
 */
export class FileFetch {
  /** Parts of the tree that were named and not looked for yet, the next one last. */
  private readonly unchecked: Wanted[] = [];
  /** Blocks that are not on disk, the next one last. */
  private readonly missing: Wanted[] = [];
  private readonly known = new Set<string>();
  private readonly faults = new Map<PeerId, string>();
  /** Set when the tree itself is at fault: no source can help. */
  private malformed: string | null = null;
  private broken: { readonly error: unknown } | null = null;
  /** True when neither the root block nor a word of the file was here before: then nothing of it is. */
  private isFresh = false;
  private inFlight = 0;
  private readonly idle: (() => void)[] = [];

  constructor(
    private readonly config: FileFetchConfig,
    private readonly address: FileAddress,
    private readonly ciphertextBytes: number,
    private readonly signal: AbortSignal,
    /** Hears of bytes that came in. */
    private readonly onBytes: (bytes: number) => void = () => {},
  ) {}

  async run(): Promise<FetchFault> {
    const { index, limits, sources } = this.config;
    const { root } = this.address;
    const isNew = !index.belongs(root, root);
    await index.add(root, [root]);
    this.known.add(root);
    this.unchecked.push({ cid: root, contentBytes: this.ciphertextBytes });
    await this.takeLocal();
    this.isFresh = isNew && this.missing.length === 1 && this.missing[0]!.cid === root;
    const tried = new Set<PeerId>();
    while (!this.finished()) {
      const fresh = sources.candidates(this.address).filter(peer => !tried.has(peer));
      if (fresh.length === 0) break;
      const seats = fresh
        .slice(0, limits.sourcesPerFile)
        .map(peer => ({ peer, absent: new Set<string>(), left: false }));
      for (const { peer } of seats) tried.add(peer);
      // while one answer is checked and written, the next is on its way
      const lanes = seats.flatMap(seat => Array.from({ length: limits.requestsPerSource }, () => seat));
      await Promise.all(lanes.map(seat => this.drain(seat, tried)));
    }
    if (this.broken !== null) throw this.broken.error;
    if (this.malformed !== null) return { reason: this.malformed, permanent: true };
    if (this.missing.length === 0 && this.unchecked.length === 0) return null;
    if (this.signal.aborted) return { reason: 'stopped', permanent: false };
    const reasons = [...this.faults].map(([peer, fault]) => `${peer}: ${fault}`);
    return { reason: reasons.length > 0 ? reasons.join(', ') : 'no holder is connected', permanent: false };
  }

  private finished(): boolean {
    const waiting = this.missing.length + this.unchecked.length + this.inFlight;
    return waiting === 0 || this.broken !== null || this.malformed !== null || this.signal.aborted;
  }

  /** One source until the file is whole or the source is of no more use; then the next candidate takes the seat. */
  private async drain(first: Seat, tried: Set<PeerId>): Promise<void> {
    let seat: Seat | null = first;
    while (seat !== null && !this.finished()) {
      const batch = seat.left ? [] : this.takeBatch(seat);
      if (batch.length > 0) {
        if (!(await this.fetchBatch(seat, batch))) seat.left = true;
      } else if (seat.left) {
        seat = this.nextSeat(tried);
      } else if (this.inFlight > 0) {
        // blocks of others may uncover more of the tree, or come back
        await new Promise<void>(resolve => this.idle.push(resolve));
      } else {
        seat = this.nextSeat(tried);
      }
    }
  }

  private nextSeat(tried: Set<PeerId>): Seat | null {
    const peer = this.config.sources.candidates(this.address).find(candidate => !tried.has(candidate));
    if (peer === undefined) return null;
    tried.add(peer);
    return { peer, absent: new Set(), left: false };
  }

  private takeBatch(seat: Seat): Wanted[] {
    const batch: Wanted[] = [];
    const countMax = this.config.limits.blocksPerFetch;
    for (let at = this.missing.length - 1; at >= 0 && batch.length < countMax; at -= 1) {
      if (!seat.absent.has(this.missing[at]!.cid)) batch.push(...this.missing.splice(at, 1));
    }
    return batch;
  }

  /** @returns false when the source is of no more use */
  private async fetchBatch(seat: Seat, batch: readonly Wanted[]): Promise<boolean> {
    this.inFlight += 1;
    try {
      const useful = await this.exchange(seat, batch);
      await this.takeLocal();
      return useful;
    } catch (error) {
      // the disk failed under one source: the others stop too, and then `run` throws it
      this.broken ??= { error };
      return false;
    } finally {
      this.inFlight -= 1;
      for (const resume of this.idle.splice(0)) resume();
    }
  }

  private async exchange(seat: Seat, batch: readonly Wanted[]): Promise<boolean> {
    const awaited = new Map(batch.map(wanted => [wanted.cid, wanted]));
    try {
      const cids = batch.map(wanted => wanted.cid);
      const answer = await this.config.sources.get(seat.peer, this.address, cids, this.signal);
      if ('fault' in answer) return this.dismiss(seat.peer, answer.fault, answer.liar);
      for (const cid of answer.absent) seat.absent.add(cid);
      const sound: { readonly node: DagNode; readonly block: FilesBlock }[] = [];
      let liar = false;
      for (const block of answer.blocks) {
        const wanted = assertDefined(awaited.get(block.cid), 'an answer has blocks that were asked for');
        const node = this.config.dag.parseBlock(block.cid, block.bytes);
        liar = node === null;
        // what came before the first wrong block is good
        if (node === null) break;
        awaited.delete(block.cid);
        if (this.isSound(wanted, node)) sound.push({ node, block });
      }
      await this.accept(sound);
      if (liar) return this.dismiss(seat.peer, 'wrong_bytes', true);
      if (answer.absent.length > 0) this.faults.set(seat.peer, 'blocks are absent');
      return seat.absent.size < this.config.limits.absentPerSourceMax;
    } finally {
      this.missing.push(...awaited.values());
    }
  }

  private dismiss(peer: PeerId, fault: string, liar: boolean): false {
    this.faults.set(peer, fault);
    if (liar) this.config.sources.penalise(peer, this.address, fault);
    return false;
  }

  private async accept(
    sound: readonly { readonly node: DagNode; readonly block: FilesBlock }[],
  ): Promise<void> {
    if (sound.length === 0 || this.malformed !== null) return;
    // the children first: from here on a peer may ask for these blocks and for what they name
    for (const { node } of sound) await this.uncover(node);
    await this.config.blobs.putMany(sound.map(({ block }) => block));
    await this.config.index.hold(
      this.address.root,
      sound.map(({ block }) => block.cid),
    );
    for (const { block } of sound) this.onBytes(block.bytes.length);
  }

  /** A block with the right hash may still not fit its parent: then the author built a tree that is no file. */
  private isSound(wanted: Wanted, node: DagNode): boolean {
    const { bytesPerBlockMin } = this.config.limits;
    const blocksMax = 16 + this.ciphertextBytes / bytesPerBlockMin;
    if (node.contentBytes !== wanted.contentBytes)
      this.malformed = `block ${wanted.cid} has another length than its parent says`;
    else if (this.known.size + node.children.length > blocksMax)
      this.malformed = 'the tree has too many blocks for its length';
    return this.malformed === null;
  }

  private async uncover(node: DagNode): Promise<void> {
    const fresh = node.children.filter(child => !this.known.has(child.cid));
    const distinct = [...new Map(fresh.map(child => [child.cid, child])).values()];
    for (const child of distinct) this.known.add(child.cid);
    await this.config.index.add(
      this.address.root,
      distinct.map(child => child.cid),
    );
    this.unchecked.push(...distinct.reverse());
  }

  /** Null also for what came with other files only: another right than this file's brought it here. */
  private async readLocal(cid: string): Promise<DagNode | null> {
    const { blobs, dag, index } = this.config;
    if (this.isFresh || (await index.isForeign(this.address.root, cid))) return null;
    const bytes = await blobs.get(cid);
    return bytes === null ? null : dag.parseBlock(cid, bytes);
  }

  private async keepLocal(cid: string, node: DagNode): Promise<void> {
    const { index } = this.config;
    const { root } = this.address;
    await this.uncover(node);
    if (!index.holds(root, cid)) await index.hold(root, [cid]);
  }

  /** Moves past the blocks that are on disk and sound. */
  private async takeLocal(): Promise<void> {
    const absent: Wanted[] = [];
    while (this.malformed === null && !this.signal.aborted) {
      const next = this.unchecked.pop();
      if (next === undefined) break;
      this.inFlight += 1;
      try {
        const node = await this.readLocal(next.cid);
        if (node === null) absent.push(next);
        else if (this.isSound(next, node)) await this.keepLocal(next.cid, node);
      } finally {
        this.inFlight -= 1;
      }
    }
    this.missing.push(...absent.reverse());
  }
}
