import { persist, preparedOther, sign, toAll } from './emit.ts';
import type { Parent } from './execution.ts';
import type { Vote } from './messages.ts';
import type { Engine, Slot } from './state.ts';
import { encodeWalMessage, encodeWalRecord } from './wal-record.ts';

/**
 * OSDI '99, 4.2: whoever accepts the proposal says PREPARE. For h + 1 that needs the parent accepted in this view; proposal and
 * vote are durable before it leaves.
 */
export function tryPrepare(engine: Engine, slot: Slot, parent: Parent): void {
  if (!engine.active || !slot.proposed || slot.accepted || slot.execution !== 'done') return;
  const below = parent.slot;
  if (below !== null && !below.accepted && below.decided === null) return;
  const { block, hash, proposal } = slot;
  if (hash === null || preparedOther(engine, slot.height, hash)) return;
  slot.accepted = true;
  if (engine.seat === null || block === null) return;
  const { view, digest } = engine;
  const vote = sign<Vote>(engine, {
    kind: 'prepare',
    view,
    newViewDigest: digest,
    height: slot.height,
    blockHash: hash,
  });
  slot.ownPrepare = vote;
  const records = [encodeWalMessage(vote.signed)];
  if (proposal !== null) records.unshift(encodeWalMessage(proposal.signed));
  else if (!slot.blockLogged) records.unshift(encodeWalRecord({ type: 'block', block }));
  slot.blockLogged = true;
  const own = proposal !== null && proposal.signed.signer === engine.seat.index;
  persist(
    engine,
    records,
    own ? [toAll(proposal), toAll(vote)] : [toAll(vote)],
    own ? [proposal, vote] : [vote],
  );
}
