import type { MemberId } from '../base/ids.ts';
import { findMember } from '../ledger/read.ts';
import type { PhaseState, SystemState } from '../types/state.ts';
import { keyholders } from './epochs.ts';
import { ownKeyOf } from './member-keys.ts';
import { participantOf } from './standing.ts';

/** A key holder whose envelopes so far open to nobody, and the first epoch that it was granted. */
export interface LostHolder {
  readonly member: MemberId;
  readonly fromEpoch: number;
}

/**
 * Key holders whose keys administrators replaced, and for whom nobody else has opened an epoch since: who does so seals them the
 * history too.
 */
export function awaitingAfterLoss(system: SystemState, phase: PhaseState): LostHolder[] {
  const lost: LostHolder[] = [];
  for (const id of keyholders(system, phase)) {
    const member = findMember(system, id);
    if (member === null) continue;
    const { key } = ownKeyOf(member);
    const isGiven = phase.epochs.some(epoch => epoch.height >= key.fromHeight && epoch.opener !== id);
    const hadKeys = phase.epochs.some(epoch => epoch.height < key.fromHeight);
    if (!key.replaced || isGiven || !hadKeys) continue;
    lost.push({ member: id, fromEpoch: participantOf(phase, id)?.fromEpoch ?? 0 });
  }
  return lost;
}
