import { assertDefined } from '../base/assert.ts';
import type { BlockHash, Sha256 } from '../base/ids.ts';
import { headerHash } from '../codec/chain.ts';
import type { Header } from '../types/chain.ts';
import type { PreparedProof, ShownHead, ViewChange } from './messages.ts';

export interface ChosenBlock {
  readonly header: Header;
  readonly hash: BlockHash;
}

/** Where a new view starts and what it proposes again, in ascending heights from `base` + 1. */
export interface ChosenWindow {
  readonly base: ShownHead;
  readonly blocks: readonly ChosenBlock[];
}

/** Per height, the proof of the highest view that any of the messages shows. */
function highestPrepared(viewChanges: readonly ViewChange[]): Map<number, PreparedProof> {
  const highest = new Map<number, PreparedProof>();
  for (const { prepared } of viewChanges) {
    for (const proof of prepared) {
      const known = highest.get(proof.header.height);
      if (known === undefined || proof.certificate.view > known.certificate.view)
        highest.set(proof.header.height, proof);
    }
  }
  return highest;
}

/**
 * DESIGN.md section 3: starts at the highest commit certificate shown, takes going up the prepared block of the highest
 * view at each height, stops at the first hole or parent mismatch. A committed block is never cut: each of its commit
 * voters holds prepared proofs of that view for every height from the view's base up to it, and one of them is in every
 * quorum of VIEW-CHANGEs.
 *
 * @param viewChanges verified, at least a quorum, of one view, in ascending order of signers
 */
export function chooseWindow(sha256: Sha256, viewChanges: readonly ViewChange[]): ChosenWindow {
  let base = assertDefined(viewChanges[0], 'a quorum is not empty').head;
  for (const { head } of viewChanges) if (head.header.height > base.header.height) base = head;
  const candidates = highestPrepared(viewChanges);
  const blocks: ChosenBlock[] = [];
  let parentHash = headerHash(sha256, base.header);
  for (let height = base.header.height + 1; ; height += 1) {
    const proof = candidates.get(height);
    if (proof === undefined || proof.header.parentHash !== parentHash) return { base, blocks };
    parentHash = proof.certificate.blockHash;
    blocks.push({ header: proof.header, hash: parentHash });
  }
}
