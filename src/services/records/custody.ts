import { ownKeyOf } from '../../core/access/member-keys.ts';
import { activeHolders, deedOfShares, leavingHolders } from '../../core/access/recovery.ts';
import { isHolder } from '../../core/access/standing.ts';
import type { MemberId, PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import {
  encodeEpochComplaint,
  encodeRecoveryAsk,
  encodeRecoveryOffer,
  encodeRecoveryShares,
} from '../../core/codec/custody.ts';
import { findMember } from '../../core/ledger/read.ts';
import {
  COMPLAINT_REASONS,
  type OpenAsk,
  type Recovery,
  type SealedShare,
} from '../../core/types/custody.ts';
import type { PhaseState } from '../../core/types/state.ts';
import type { RecoveryContext } from '../../ports/phase-crypto.ts';
import { awaitApproval } from './approvals.ts';
import { phaseName } from './cards.ts';
import type { Context } from './context.ts';
import { givesFrom, type Rekeyed, rotateEpoch, sendToPhase } from './participants.ts';
import { currentEpochNumber } from './records.ts';
import type { RecoveryWatch } from './recovery-watch.ts';
import { type Refusal, refuse, sealing, unknownMember, unknownPhase } from './refusal.ts';
import { rotationReason } from './rotation.ts';
import type { Committed } from './sender.ts';
import type { EnvelopeFault } from './vault.ts';

export interface SharesInput {
  readonly phase: PhaseId;
  readonly threshold: number;
  readonly holders: readonly MemberId[];
}

/** The shares of a phase's recovery key as this member sees them. */
export interface RecoveryView {
  readonly recovery: Recovery;
  readonly active: readonly MemberId[];
  /** This node holds a share, and can offer it. */
  readonly holdsShare: boolean;
  /** This node has put the recovery key together. */
  readonly recovered: boolean;
  readonly wrongOffers: readonly MemberId[];
}

/** What one member does about the keys of its phases besides changing who is in: complaints, and shares for recovery. */
export class Custody {
  constructor(
    private readonly context: Context,
    private readonly watch: RecoveryWatch,
  ) {}

  /** @param accepted members whose keys administrators replaced, and are theirs all the same */
  rotate(id: PhaseId, accepted: readonly MemberId[]): Promise<Rekeyed | Refusal> {
    return rotateEpoch(this.context, id, accepted);
  }

  /** Opens the next epoch where somebody waits for it and this member can give what is waited for; null where nobody does. */
  async rotateWhereDue(id: PhaseId): Promise<Rekeyed | Refusal | null> {
    const { context } = this;
    const phase = await context.follower.catchUp(id);
    if (phase === null) return null;
    const reason = rotationReason(context.access.system(), phase, givesFrom(context, phase));
    return reason === null ? null : rotateEpoch(context, id);
  }

  /** Complains where this member's envelope of the current epoch is no good and it has not said so; null elsewhere. */
  async complainWhereDue(id: PhaseId): Promise<Committed | Refusal | null> {
    const { context } = this;
    const phase = await context.follower.catchUp(id);
    if (phase === null) return null;
    const epoch = currentEpochNumber(phase);
    const said = phase.complaints.some(entry => entry.member === context.member && entry.epoch === epoch);
    return said || this.faultOf(phase) === null ? null : this.complain(id);
  }

  /** What is wrong with this member's envelope of the current epoch, by the fault of who sealed it. */
  private faultOf(phase: PhaseState): EnvelopeFault | null {
    const { vault } = this.context;
    const epoch = currentEpochNumber(phase);
    if (vault.keys(phase.id, epoch) !== null) return null;
    return vault.faults(phase.id).findLast(fault => fault.epoch === epoch && fault.kind !== 'own') ?? null;
  }

  /**
   * Tells the others on chain that this member's envelope of the current epoch is no good. Refused with `unknown_phase`,
   * `nothing_to_complain` or the ledger's outcome.
   */
  async complain(id: PhaseId): Promise<Committed | Refusal> {
    const { context } = this;
    const phase = await context.follower.catchUp(id);
    if (phase === null) return unknownPhase(id);
    const epoch = currentEpochNumber(phase);
    const name = phaseName(context, phase);
    const fault = this.faultOf(phase);
    if (fault === null || fault.kind === 'own') {
      const detail = `nothing is wrong with the envelope of ${context.member} for epoch ${epoch} of ${name}`;
      return refuse('nothing_to_complain', detail, 'phaseline doctor --keys tells which epochs open here.');
    }
    const content = encodeEpochComplaint({ phase: id, epoch, reason: COMPLAINT_REASONS[fault.kind] });
    return sendToPhase(context, 'epochComplaint', phase, content, `complain about epoch ${epoch} of ${name}`);
  }

  /**
   * Draws a recovery key, seals the history to it, and splits it among the holders, of whom `threshold` together open the phase.
   * By the owner or a steward who holds the keys. Refused with `unknown_phase`, `unknown_member`, `key_missing` or the
   * ledger's outcome.
   */
  async setRecovery({ phase: id, threshold, holders }: SharesInput): Promise<Committed | Refusal> {
    const { context } = this;
    const phase = await context.follower.catchUp(id);
    if (phase === null) return unknownPhase(id);
    const members = [...new Set(holders)].sort();
    const name = phaseName(context, phase);
    if (threshold < 2 || threshold > members.length) {
      const detail = `${threshold} of ${members.length} shares: the threshold is 2 at least, and at most the holders`;
      return refuse('badShares', detail, 'Name more holders, or another threshold.');
    }
    const fromEpoch = givesFrom(context, phase);
    if (fromEpoch >= phase.epochs.length) {
      const detail = `${context.member} does not hold the keys of ${name}`;
      return refuse('key_missing', detail, 'A steward who holds them must do this.');
    }
    const content = await this.drawShares(phase, threshold, members, fromEpoch);
    if (isReject(content)) return content;
    const waiting = await awaitApproval(context, phase, deedOfShares(content));
    if (waiting !== null) return waiting;
    const what = `share the recovery key of ${name}`;
    return sendToPhase(context, 'recoveryShares', phase, encodeRecoveryShares(content), what);
  }

  private contextOf({ id, project }: PhaseState, publicKey: Uint8Array): RecoveryContext {
    return { chainId: this.context.access.chainId, project, phase: id, publicKey };
  }

  private async drawShares(phase: PhaseState, threshold: number, members: MemberId[], fromEpoch: number) {
    const { crypto, vault } = this.context;
    const secret = crypto.generateSecret();
    const { publicKey, commitment } = crypto.deriveRecovery(secret);
    const place = this.contextOf(phase, publicKey);
    const drawn = await crypto.splitSecret(secret, members.length, threshold);
    const shares: SealedShare[] = [];
    for (const [index, member] of members.entries()) {
      const sealed = await this.sealShare(place, member, null, member, drawn[index]!);
      if (isReject(sealed)) return sealed;
      shares.push({ member, ...sealed, commitment: crypto.shareCommitment(drawn[index]!) });
    }
    const { membershipVersion, id } = phase;
    const epoch = currentEpochNumber(phase);
    const secrets = vault.secrets(id, fromEpoch, epoch);
    const history = await crypto.sealHistory({ ...place, epoch, membershipVersion }, secrets);
    const leaving = leavingHolders(phase, shares);
    const keys = { threshold, publicKey, commitment, fromEpoch, history, shares, leaving };
    return { phase: id, expectedMembershipVersion: membershipVersion, ...keys };
  }

  private async sealShare(
    place: RecoveryContext,
    holder: MemberId,
    ask: number | null,
    recipient: MemberId,
    share: Uint8Array,
  ): Promise<Pick<SealedShare, 'keyId' | 'sealed'> | Refusal> {
    const { access, crypto } = this.context;
    const member = findMember(access.system(), recipient);
    if (member === null) return unknownMember(recipient);
    const { keyId, key } = ownKeyOf(member);
    const context = { ...place, holder, ask, recipient, keyId };
    const sealed = await sealing(
      crypto.sealShare(context, key.sealingKey, share),
      message => `nothing sealed for ${recipient}: ${message}`,
    );
    return isReject(sealed) ? sealed : { keyId, sealed };
  }

  /** Null when the phase has no shares. */
  async recovery(id: PhaseId): Promise<RecoveryView | null | Refusal> {
    const phase = await this.context.follower.catchUp(id);
    if (phase === null) return unknownPhase(id);
    const { recovery } = phase;
    if (recovery === null) return null;
    return {
      recovery,
      active: activeHolders(this.context.access.system(), recovery),
      holdsShare: isHolder(phase, this.context.member) && this.watch.ownShare(phase) !== null,
      recovered: this.watch.hasKey(phase),
      wrongOffers: this.watch.wrongOffers(phase),
    };
  }

  /** By a participant: asks the holders for their shares. */
  async ask(id: PhaseId): Promise<Committed | Refusal> {
    const phase = await this.context.follower.catchUp(id);
    if (phase === null) return unknownPhase(id);
    const what = `ask for the recovery of ${phaseName(this.context, phase)}`;
    return sendToPhase(this.context, 'recoveryAsk', phase, encodeRecoveryAsk({ phase: id }), what);
  }

  /** By a holder: seals its share to who asked. Refused with `unknown_phase`, `unknownAsk`, `share_missing` or the ledger's outcome. */
  async offer(id: PhaseId, to: MemberId): Promise<Committed | Refusal> {
    const { context } = this;
    const phase = await context.follower.catchUp(id);
    if (phase === null) return unknownPhase(id);
    const name = phaseName(context, phase);
    const found = this.openAsk(phase, to);
    if (isReject(found)) return found;
    const share = this.watch.ownShare(phase);
    if (share === null) {
      const detail = `${context.member} has no share of the recovery key of ${name} that opens here`;
      return refuse('share_missing', detail, 'phaseline phase recovery show PHASE tells who has one.');
    }
    const place = this.contextOf(phase, found.recovery.publicKey);
    const sealed = await this.sealShare(place, context.member, found.ask.number, to, share);
    if (isReject(sealed)) return sealed;
    const content = encodeRecoveryOffer({ phase: id, ask: found.ask.number, ...sealed });
    return sendToPhase(context, 'recoveryOffer', phase, content, `offer ${to} a share of ${name}`);
  }

  private openAsk(phase: PhaseState, member: MemberId): { ask: OpenAsk; recovery: Recovery } | Refusal {
    const { recovery } = phase;
    const ask = recovery?.asks.find(entry => entry.member === member);
    if (recovery !== null && ask !== undefined) return { ask, recovery };
    const detail = `${member} does not ask for the recovery of ${phaseName(this.context, phase)}`;
    return refuse('unknownAsk', detail, 'phaseline phase recovery show PHASE tells who does.');
  }
}
