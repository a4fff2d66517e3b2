import type { BlobStore } from '../../ports/blob-store.ts';
import type { ByteRange, DagNode, FileDag } from '../../ports/file-dag.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { FileIndex } from './file-index.ts';
import type { FilesLimits } from './limits.ts';
import type { FileAddress, Sources } from './sources.ts';

export interface RemoteReaderConfig {
  readonly blobs: BlobStore;
  readonly dag: FileDag;
  readonly index: FileIndex;
  readonly sources: Sources;
  readonly limits: FilesLimits;
}

const LEAF_BYTES_MAX = 1024 * 1024;

interface Piece {
  readonly cid: string;
  readonly contentBytes: number;
  /** Where its content begins in the file. */
  readonly start: number;
}

interface Part {
  readonly bytes: Uint8Array;
  readonly node: DagNode;
}

interface Seat {
  readonly peer: PeerId;
  /** Requests that it has under way. */
  load: number;
  left: boolean;
}

/**
 * Ciphertext of a file that this node has not, or not whole, straight from its holders: in order, a few blocks ahead, from
 * several of them at once. Every block is checked before any of it is given out, and nothing is kept. A holder that dies or
 * lies is left for the others.
 */
export class RemoteReader {
  private readonly seats: Seat[] = [];
  private readonly tried = new Set<PeerId>();
  private readonly faults: string[] = [];

  constructor(
    private readonly config: RemoteReaderConfig,
    private readonly address: FileAddress,
    private readonly ciphertextBytes: number,
    private readonly signal: AbortSignal,
  ) {}

  async *read(range: ByteRange | null): AsyncIterable<Uint8Array> {
    const from = range?.offset ?? 0;
    const to = range === null ? this.ciphertextBytes : Math.min(from + range.length, this.ciphertextBytes);
    const { root } = this.address;
    await this.config.sources.awaitFirst(this.address, this.signal);
    // the next one first; inner nodes make room for their children
    const pending: Piece[] = [{ cid: root, contentBytes: this.ciphertextBytes, start: 0 }];
    const ahead: { readonly piece: Piece; readonly part: Promise<Part> }[] = [];
    for (;;) {
      while (pending.length > 0 && this.mayAsk(ahead.length, ahead.at(-1)?.piece)) {
        const piece = pending.shift()!;
        const part = this.obtain(piece);
        // whoever takes it hears of it; until then it is no unhandled rejection
        part.catch(() => {});
        ahead.push({ piece, part });
      }
      const next = ahead.shift();
      if (next === undefined) return;
      const { bytes, node } = await next.part;
      if (node.children.length === 0) {
        const { start } = next.piece;
        const wanted = bytes.subarray(Math.max(0, from - start), Math.max(0, to - start));
        if (wanted.length > 0) yield wanted;
        continue;
      }
      // a tree of another shape than the profile's: what was asked for behind it comes after its children
      const behind = ahead.splice(0).map(({ piece }) => piece);
      pending.unshift(...inRange(node, next.piece.start, from, to), ...behind);
    }
  }

  /** What holds more than a leaf of the profile is an inner node: its children come before what is behind it. */
  private mayAsk(asked: number, last: Piece | undefined): boolean {
    const isLeaf = last === undefined || last.contentBytes <= LEAF_BYTES_MAX;
    return isLeaf && asked < this.config.limits.blocksReadAhead;
  }

  private async obtain(piece: Piece): Promise<Part> {
    const { blobs, dag, index, sources } = this.config;
    const { cid } = piece;
    const { root } = this.address;
    const own = index.holds(root, cid) ? await blobs.get(cid) : null;
    const local = own === null ? null : this.checked(piece, own, dag.parseBlock(cid, own));
    if (local !== null) return local;
    const refusedBy = new Set<Seat>();
    for (;;) {
      this.signal.throwIfAborted();
      const seat = this.seat(refusedBy);
      if (seat === null) throw this.failure();
      seat.load += 1;
      const answer = await sources.get(seat.peer, this.address, [cid], this.signal).finally(() => {
        seat.load -= 1;
      });
      refusedBy.add(seat);
      if ('fault' in answer) {
        this.leave(seat, answer.fault, answer.liar);
        continue;
      }
      const block = answer.blocks[0];
      if (block === undefined) continue;
      const node = dag.parseBlock(cid, block.bytes);
      if (node === null) this.leave(seat, 'wrong_bytes', true);
      const part = this.checked(piece, block.bytes, node);
      if (part !== null) return part;
    }
  }

  /** Null when the block is not what its CID says. Throws for one that does not fit its parent: no holder can help. */
  private checked({ cid, contentBytes }: Piece, bytes: Uint8Array, node: DagNode | null): Part | null {
    if (node === null) return null;
    if (node.contentBytes === contentBytes) return { bytes, node };
    throw new OperatingError('file_malformed', `block ${cid} has another length than its parent says`);
  }

  /** The holder with the least to do that may have the block; a new one while there is room for more. */
  private seat(refusedBy: ReadonlySet<Seat>): Seat | null {
    const { limits, sources } = this.config;
    const active = this.seats.filter(seat => !seat.left);
    if (active.length < limits.sourcesPerFile || active.every(seat => refusedBy.has(seat))) {
      const peer = sources.candidates(this.address).find(candidate => !this.tried.has(candidate));
      if (peer !== undefined) {
        this.tried.add(peer);
        const seat = { peer, load: 0, left: false };
        this.seats.push(seat);
        return seat;
      }
    }
    const open = active.filter(seat => !refusedBy.has(seat));
    return open.reduce<Seat | null>(
      (best, seat) => (best === null || seat.load < best.load ? seat : best),
      null,
    );
  }

  private leave(seat: Seat, fault: string, liar: boolean): void {
    seat.left = true;
    this.faults.push(`${seat.peer}: ${fault}`);
    if (liar) this.config.sources.penalise(seat.peer, this.address, fault);
  }

  private failure(): OperatingError {
    const why = this.faults.length > 0 ? this.faults.join(', ') : 'no holder is connected';
    const hint = 'Try again when a node that holds the file is connected: file status shows them.';
    return new OperatingError('no_holder', `file ${this.address.root}: ${why}`, hint);
  }
}

/** The children that hold something of [from, to). */
function inRange(node: DagNode, start: number, from: number, to: number): Piece[] {
  const own = node.contentBytes - node.children.reduce((sum, child) => sum + child.contentBytes, 0);
  let at = start + own;
  const pieces: Piece[] = [];
  for (const { cid, contentBytes } of node.children) {
    if (at < to && at + contentBytes > from) pieces.push({ cid, contentBytes, start: at });
    at += contentBytes;
  }
  return pieces;
}
