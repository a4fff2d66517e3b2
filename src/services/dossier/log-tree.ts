import { assertDefined } from '../../core/base/assert.ts';
import { type Hash, type LogId, type Sha256, ZERO_HASH } from '../../core/base/ids.ts';
import { type Reject, reject } from '../../core/base/reject.ts';
import { appendLeaves, type Frontier, leafHash, nodeHash, splitPoint } from '../../core/merkle/log.ts';
import { hashesRightOf, rightOfConsistency } from '../../core/merkle/range.ts';
import { type SubtreeMemory, Subtrees } from '../../core/merkle/subtrees.ts';
import type { LightClient } from '../light-client/light-client.ts';

/** What of a log is held, and what a source says of the rest. */
export interface HeldTree {
  readonly logId: LogId;
  /** Of the leaves before the first that is held. */
  readonly start: Frontier;
  /** Leaves [start.size, end) are held, at most up to `size`. */
  readonly end: number;
  readonly size: number;
  /** RFC 9162 consistency path from `end` to `size`; empty where they are equal. */
  readonly path: readonly Hash[];
}

/** Proofs of a log as far as it is held: from where a grant starts, and for one who was removed up to the removal. */
export class LogTree {
  private readonly subtrees: Subtrees;
  private readonly hashes: (from: number, to: number) => Hash[];
  /** Roots of the subtrees right of what is held, by their leaves. */
  private readonly beyond = new Map<string, Hash>();

  constructor(
    private readonly sha256: Sha256,
    light: Pick<LightClient, 'rawItem'>,
    private readonly held: HeldTree,
    memory: SubtreeMemory,
  ) {
    const { logId, end, size, path } = held;
    const leafAt = (position: number) =>
      assertDefined(light.rawItem(logId, position), 'a held log has every leaf').leaf;
    this.hashes = (from, to) =>
      Array.from({ length: to - from }, (_, index) => leafHash(sha256, leafAt(from + index)));
    this.subtrees = new Subtrees(sha256, this.hashes, memory);
    const spans: string[] = [];
    hashesRightOf(
      (from, to) => {
        spans.push(`${from}-${to}`);
        return ZERO_HASH;
      },
      end,
      size,
    );
    // Spans are found from the root down, hashes come from the deepest up.
    const right = rightOfConsistency(path, end, size);
    for (const [index, span] of spans.reverse().entries()) this.beyond.set(span, right[index]!);
  }

  /** Of the leaves [0, position); `position` is at or above the first that is held. */
  frontier(position: number): Frontier {
    const { start } = this.held;
    if (start.size === 0) return this.subtrees.frontier(position);
    return appendLeaves(this.sha256, start, this.hashes(start.size, position));
  }

  /** What is right of the leaves [0, position). */
  right(position: number): Hash[] {
    return hashesRightOf((from, to) => this.root(from, to), position, this.held.size);
  }

  /** RFC 9162 path from the first leaves to all; Reject `not_readable` where not every leaf is held. */
  consistency(first: number): Hash[] | Reject {
    const { start, end, size } = this.held;
    if (start.size === 0 && end === size) return this.subtrees.consistencyProof(first, size);
    return reject(
      'not_readable',
      'this node does not hold the log from its first leaf to its last',
      'ignore',
    );
  }

  private root(from: number, to: number): Hash {
    const beyond = this.beyond.get(`${from}-${to}`);
    if (beyond !== undefined) return beyond;
    if (to <= this.held.end) return this.subtrees.root(from, to);
    const middle = from + splitPoint(to - from);
    return nodeHash(this.sha256, this.root(from, middle), this.root(middle, to));
  }
}
