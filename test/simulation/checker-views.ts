import type { NewView, PreparedProof, ViewChange } from '../../src/core/pbft/messages.ts';
import { type Opening, openingOf } from './checker-judge.ts';
import { trimOldest } from './checker-log.ts';
import type { Coverage } from './coverage.ts';

/** A block that is committed, and the view of a certificate of it. */
export interface Committed {
  readonly set: number;
  readonly height: number;
  readonly hash: string;
  readonly view: number;
}

interface Opened extends Opening {
  readonly set: number;
  readonly view: number;
  readonly by: string;
}

/** The newest are kept: a commit in a view so long ago comes no more. */
const OPENED_MAX = 256;

/**
 * What is committed in a view is below the base of every later NEW-VIEW or proposed again by it: of those that honest nodes send,
 * and of those that they follow, whoever made them.
 */
export class ViewRules {
  private readonly seen = new Set<string>();
  private opened: Opened[] = [];

  constructor(
    private readonly coverage: Coverage,
    private readonly agreed: () => Iterable<Committed>,
    private readonly fail: (what: string) => never,
  ) {}

  knows(key: string): boolean {
    return this.seen.has(key);
  }

  /** @param key of these very bytes. @param asked what it shows, all of it good */
  opens(key: string, by: string, set: number, { view }: NewView, asked: readonly ViewChange[]): void {
    this.seen.add(key);
    trimOldest(this.seen, 4 * OPENED_MAX);
    const opening = openingOf(asked);
    const { base, window, highest } = opening;
    if (window.length > 0) this.coverage.hit('transition: NEW-VIEW proposes again', window.length);
    else this.coverage.hit('transition: NEW-VIEW with an empty window');
    const proofs = asked.flatMap(({ prepared }) => prepared);
    const top = base + window.length;
    const isAbove = proofs.some(({ header }) => header.height === top + 1);
    if (highest > top)
      this.coverage.hit(`transition: NEW-VIEW cuts ${isAbove ? 'at a parent' : 'above a hole'}`);
    const isOther = ({ header, certificate }: PreparedProof) =>
      header.height > base &&
      header.height <= top &&
      certificate.blockHash !== window[header.height - base - 1];
    if (proofs.some(isOther)) this.coverage.hit('transition: NEW-VIEW chooses between two');
    const opened = { ...opening, set, view, by };
    for (const block of this.agreed()) this.check(opened, block);
    this.opened = [...this.opened.slice(1 - OPENED_MAX), opened];
  }

  /** A block is known to be committed, in a view that may have ended long ago. */
  committed(block: Committed): void {
    for (const opened of this.opened) this.check(opened, block);
  }

  private check({ set, view, base, window, by }: Opened, block: Committed): void {
    if (block.set !== set || block.view >= view || block.height <= base) return;
    if (window[block.height - base - 1] !== block.hash)
      this.fail(`the NEW-VIEW of ${view} that ${by} has leaves out committed ${block.height}`);
  }
}
