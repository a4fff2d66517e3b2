import { assertDefined } from '../../core/base/assert.ts';
import { equalBytes } from '../../core/base/bytes.ts';
import type { MemberId, PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { decodeRecoveryOffer, decodeRecoveryShares } from '../../core/codec/custody.ts';
import {
  decodeEpochRotate,
  decodeParticipantAdd,
  decodeParticipantRemove,
  kindName,
} from '../../core/codec/operation.ts';
import type { Recovery } from '../../core/types/custody.ts';
import type { EpochOpening } from '../../core/types/operation.ts';
import type { PhaseState } from '../../core/types/state.ts';
import type { EpochSecret, PhaseCrypto, RecoveryContext, RecoveryKeys } from '../../ports/phase-crypto.ts';
import type { PhaseVisitor } from './follower.ts';
import type { LedgerAccess, LogItem } from './ports.ts';
import { epochAt, type PhaseVault } from './vault.ts';

/** Epoch secrets to the recovery key, as a leaf carries them. */
interface SealedHistory {
  readonly sealed: Uint8Array;
  readonly epoch: number;
  readonly membershipVersion: number;
}

/** What is known of one phase's shares, from leaves that this member may read. */
interface Known {
  /** Of the leaf that brought them: other ones replace all this. */
  readonly number: number;
  /** By position. */
  readonly histories: Map<number, SealedHistory>;
  readonly ownAsks: Set<number>;
  /** Shares that are what was committed to, by their holder: this member's own, and those offered to it. */
  readonly shares: Map<MemberId, Uint8Array>;
  /** Holders whose offer to this member was no share of theirs. */
  readonly wrong: Set<MemberId>;
  /** Once enough shares have come together. */
  keys: RecoveryKeys | null;
}

export interface RecoveryWatchConfig {
  readonly access: LedgerAccess;
  readonly crypto: PhaseCrypto;
  readonly member: MemberId;
  readonly vault: PhaseVault;
}

/** An epoch that the leaf opens, with the membership version that it replaces. */
function openingOf({ transaction }: LogItem): { opening: EpochOpening; membershipVersion: number } | null {
  const content = transaction.signed.parts[0]?.content ?? new Uint8Array(0);
  const kind = kindName(transaction.body.kind);
  const decoded =
    kind === 'participantAdd'
      ? decodeParticipantAdd(content)
      : kind === 'participantRemove'
        ? decodeParticipantRemove(content)
        : kind === 'epochRotate'
          ? decodeEpochRotate(content)
          : null;
  if (decoded === null || isReject(decoded) || decoded.epoch === null) return null;
  return { opening: decoded.epoch, membershipVersion: decoded.expectedMembershipVersion };
}

/**
 * Follows the shares of each phase's recovery key. With enough of them offered to this member it puts the key together, checks it
 * against the chain, and gives the vault every secret that is sealed to it: what the log says, so a restart does it again.
 */
export class RecoveryWatch implements PhaseVisitor {
  private readonly phases = new Map<PhaseId, Known>();

  constructor(private readonly config: RecoveryWatchConfig) {}

  /** This member's own share of the phase's recovery key; null when it has none that opens here. */
  ownShare(phase: PhaseState): Uint8Array | null {
    return this.knownOf(phase)?.shares.get(this.config.member) ?? null;
  }

  /** True when this node has put the recovery key together. */
  hasKey(phase: PhaseState): boolean {
    return this.knownOf(phase)?.keys != null;
  }

  /** Holders that offered this member something else than their share. */
  wrongOffers(phase: PhaseState): MemberId[] {
    return [...(this.knownOf(phase)?.wrong ?? [])];
  }

  async visit(phase: PhaseState, item: LogItem): Promise<void> {
    const { recovery } = phase;
    // what was sealed to an earlier key, the present one has too
    if (recovery === null || item.leaf.position < recovery.number) return;
    const known = this.knownOf(phase) ?? this.begin(phase.id, recovery.number);
    const kind = kindName(item.transaction.body.kind);
    if (kind === 'recoveryShares') await this.visitShares(phase, recovery, known, item);
    else if (kind === 'recoveryAsk') {
      if (item.transaction.body.sender === this.config.member) known.ownAsks.add(item.leaf.position);
    } else if (kind === 'recoveryOffer') await this.visitOffer(phase, recovery, known, item);
    else await this.visitOpening(phase, recovery, known, item);
  }

  private knownOf({ id, recovery }: PhaseState): Known | null {
    const known = this.phases.get(id);
    return known !== undefined && known.number === recovery?.number ? known : null;
  }

  private begin(phase: PhaseId, number: number): Known {
    const collections = { histories: new Map(), shares: new Map(), ownAsks: new Set<number>() };
    const known: Known = { number, ...collections, wrong: new Set(), keys: null };
    this.phases.set(phase, known);
    return known;
  }

  private contextOf({ id, project }: PhaseState, { publicKey }: Recovery): RecoveryContext {
    return { chainId: this.config.access.chainId, project, phase: id, publicKey };
  }

  private async visitShares(
    phase: PhaseState,
    recovery: Recovery,
    known: Known,
    item: LogItem,
  ): Promise<void> {
    const content = decodeRecoveryShares(item.transaction.signed.parts[0]?.content ?? new Uint8Array(0));
    if (isReject(content)) return;
    const { member, crypto, vault } = this.config;
    const own = content.shares.find(share => share.member === member);
    const unsealer = own === undefined ? null : vault.unsealerOf(own.keyId);
    if (own !== undefined && unsealer !== null) {
      const recipient = { holder: member, ask: null, recipient: member, keyId: own.keyId };
      const context = { ...this.contextOf(phase, recovery), ...recipient };
      const share = await crypto.openShare(context, unsealer, own.sealed);
      if (share !== null && crypto.shareCommitment(share) === own.commitment) known.shares.set(member, share);
    }
    await this.addHistory(phase, recovery, known, item.leaf.position, {
      sealed: content.history,
      epoch: epochAt(phase, item.leaf.position),
      membershipVersion: content.expectedMembershipVersion,
    });
  }

  private async visitOpening(
    phase: PhaseState,
    recovery: Recovery,
    known: Known,
    item: LogItem,
  ): Promise<void> {
    const opened = openingOf(item);
    if (opened === null || opened.opening.recovery.length === 0) return;
    const { opening, membershipVersion } = opened;
    const history = { sealed: opening.recovery, epoch: opening.number, membershipVersion };
    await this.addHistory(phase, recovery, known, item.leaf.position, history);
  }

  private async visitOffer(
    phase: PhaseState,
    recovery: Recovery,
    known: Known,
    item: LogItem,
  ): Promise<void> {
    const content = decodeRecoveryOffer(item.transaction.signed.parts[0]?.content ?? new Uint8Array(0));
    if (isReject(content) || !known.ownAsks.has(content.ask)) return;
    const { member, crypto, vault } = this.config;
    const holder = item.transaction.body.sender;
    const unsealer = vault.unsealerOf(content.keyId);
    if (unsealer === null) return;
    const recipient = { holder, ask: content.ask, recipient: member, keyId: content.keyId };
    const context = { ...this.contextOf(phase, recovery), ...recipient };
    const share = await crypto.openShare(context, unsealer, content.sealed);
    const committed = recovery.holders.find(entry => entry.member === holder)?.commitment;
    if (share === null || crypto.shareCommitment(share) !== committed) {
      known.wrong.add(holder);
      return;
    }
    known.wrong.delete(holder);
    known.shares.set(holder, share);
    await this.complete(phase, recovery, known);
  }

  /** Puts the key together from as many shares as it takes, and opens what is sealed to it. */
  private async complete(phase: PhaseState, recovery: Recovery, known: Known): Promise<void> {
    if (known.keys !== null || known.shares.size < recovery.threshold) return;
    const { crypto } = this.config;
    const shares = [...known.shares.values()].slice(0, recovery.threshold);
    const places = new Set(shares.map(share => share.at(-1)));
    if (places.size < shares.length) return;
    const keys = crypto.deriveRecovery(await crypto.combineShares(shares));
    if (keys.commitment !== recovery.commitment || !equalBytes(keys.publicKey, recovery.publicKey)) return;
    known.keys = keys;
    for (const history of known.histories.values()) await this.openHistory(phase, recovery, known, history);
  }

  private async addHistory(
    phase: PhaseState,
    recovery: Recovery,
    known: Known,
    position: number,
    history: SealedHistory,
  ): Promise<void> {
    known.histories.set(position, history);
    if (known.keys !== null) await this.openHistory(phase, recovery, known, history);
  }

  private async openHistory(
    phase: PhaseState,
    recovery: Recovery,
    { keys }: Known,
    { sealed, epoch, membershipVersion }: SealedHistory,
  ): Promise<void> {
    const { unsealer } = assertDefined(keys, 'history opens with the key');
    const context = { ...this.contextOf(phase, recovery), epoch, membershipVersion };
    const secrets: EpochSecret[] = (await this.config.crypto.openHistory(context, unsealer, sealed)) ?? [];
    for (const secret of secrets) this.config.vault.keep(phase, secret);
  }
}
