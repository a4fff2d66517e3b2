import { assertDefined } from '../../core/base/assert.ts';
import type { BlockHash, TransactionId } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { buildBlock, type Execution, executeBlock } from '../../core/ledger/execute.ts';
import { overlayView } from '../../core/ledger/overlay.ts';
import { readSystem } from '../../core/ledger/read.ts';
import type { Block, Header, ValidatorSet } from '../../core/types/chain.ts';
import type { Diff, Parameters, StateView } from '../../core/types/state.ts';
import type { Wrapper } from '../../ports/chain-store.ts';
import type { PoolEntry } from '../pool/mempool.ts';
import type { ChainReader } from './chain-reader.ts';

/** A block that was executed and is not committed yet. */
export interface Overlay {
  readonly block: Block;
  readonly hash: BlockHash;
  readonly diff: Diff;
  readonly entries: readonly PoolEntry[];
  readonly ids: ReadonlySet<TransactionId>;
  /** The set that decides the next height, when this block brings in another. */
  readonly nextSet: ValidatorSet | null;
}

/** The state that a block builds on. */
export interface Base {
  readonly view: StateView;
  readonly header: Header;
  readonly hash: BlockHash;
  readonly parameters: Parameters;
  /** Blocks between the committed head and the new block, oldest first. */
  readonly inFlight: readonly Overlay[];
}

/** Executes blocks on overlays over the committed state, one diff for each block in flight. */
export class Executor {
  private readonly overlays = new Map<BlockHash, Overlay>();

  constructor(private readonly chain: ChainReader) {}

  get(hash: BlockHash): Overlay | null {
    return this.overlays.get(hash) ?? null;
  }

  get size(): number {
    return this.overlays.size;
  }

  /** Blocks above the head up to the parent, oldest first; null when the parent is neither the head nor executed on top of it. */
  inFlightTo(parentHash: BlockHash): readonly Overlay[] | null {
    const { block, hash: headHash } = this.chain.head();
    const inFlight: Overlay[] = [];
    for (let hash = parentHash; hash !== headHash; ) {
      const overlay = this.overlays.get(hash);
      if (overlay === undefined || overlay.block.header.height <= block.header.height) return null;
      inFlight.unshift(overlay);
      hash = overlay.block.header.parentHash;
    }
    return inFlight;
  }

  /** Null as for `inFlightTo`. */
  base(parentHash: BlockHash): Base | null {
    const { block } = this.chain.head();
    const inFlight = this.inFlightTo(parentHash);
    if (inFlight === null) return null;
    const view =
      inFlight.length === 0
        ? this.chain.store.state
        : overlayView(
            this.chain.store.state,
            inFlight.map(overlay => overlay.diff),
          );
    const header = inFlight.at(-1)?.block.header ?? block.header;
    return { view, header, hash: parentHash, parameters: readSystem(view).parameters, inFlight };
  }

  /** Executes the exact block; a Reject when its header is not the result. */
  execute(block: Block, hash: BlockHash, entries: readonly PoolEntry[]): Overlay | Reject {
    const known = this.overlays.get(hash);
    if (known !== undefined) return known;
    const base = this.base(block.header.parentHash);
    if (base === null) return reject('unknown_parent', `height ${block.header.height}`, 'ignore');
    const transactions = entries.map(entry => entry.transaction);
    const input = { timeMs: block.header.timeMs, transactions };
    const { suite, verify } = this.chain;
    const executed = executeBlock(suite, base.view, base, input, { verify });
    if (isReject(executed)) return executed;
    if (executed.hash !== hash) {
      return reject('wrong_result', difference(executed.block, block));
    }
    const overlay = makeOverlay(base, executed, entries);
    this.overlays.set(hash, overlay);
    return overlay;
  }

  /**
   * Builds the block that follows `base` from those candidates that it may contain.
   *
   * @param dismiss is told of each transaction that no later block can contain; one that only a block in flight forbids is
   *   left out and stays in the pool, because that block may still be cut off
   * @returns null when none is left
   */
  build(
    base: Base,
    timeMs: number,
    candidates: readonly PoolEntry[],
    dismiss: (id: TransactionId, reason: Reject) => void,
  ): Overlay | null {
    const byId = new Map(candidates.map(entry => [entry.transaction.id, entry]));
    const input = { timeMs, candidates: candidates.map(entry => entry.transaction) };
    const { suite, verify } = this.chain;
    const built = buildBlock(suite, base.view, base, input, { verify });
    for (const { transaction, reason, final } of built.skipped) {
      if (final && base.inFlight.length === 0) dismiss(transaction.id, reason);
    }
    if (built.execution === null) return null;
    const entries = built.transactions.map(({ id }) => assertDefined(byId.get(id), 'a candidate was chosen'));
    const overlay = makeOverlay(base, built.execution, entries);
    this.overlays.set(overlay.hash, overlay);
    return overlay;
  }

  /** Forgets blocks that are committed or were given up. */
  discard(hashes: readonly BlockHash[]): void {
    for (const hash of hashes) this.overlays.delete(hash);
  }

  /** Forgets everything at or below a committed height. */
  settle(height: number): void {
    for (const [hash, overlay] of this.overlays) {
      if (overlay.block.header.height <= height) this.overlays.delete(hash);
    }
  }
}

function makeOverlay(base: Base, { block, hash, diff }: Execution, entries: readonly PoolEntry[]): Overlay {
  const changesSet = block.header.nextValidatorSetHash !== block.header.validatorSetHash;
  const ids = new Set(block.entries.map(entry => entry.id));
  const nextSet = changesSet ? readSystem(overlayView(base.view, [diff])).validatorSet : null;
  return { block, hash, diff, entries, ids, nextSet };
}

/** Names the first header field that differs, for the operator (SCENARIOS 12). */
function difference(mine: Block, theirs: Block): string {
  for (const field of Object.keys(mine.header) as (keyof Header)[]) {
    if (mine.header[field] !== theirs.header[field]) {
      return `${field} is ${String(mine.header[field])} here, ${String(theirs.header[field])} in the block`;
    }
  }
  return 'entries differ';
}

/** As the store takes it. */
export function wrapperOf({ transaction: { id, wrapperHash }, bytes }: PoolEntry): Wrapper {
  return { id, wrapperHash, bytes };
}

/** The entries of a block in its order; the caller has collected them all. */
export function entriesOf(found: readonly (PoolEntry | null)[]): PoolEntry[] {
  return found.map(entry => assertDefined(entry, 'every body was collected'));
}
