import { heldFrom } from '../../core/access/epochs.ts';
import { equalBytes } from '../../core/base/bytes.ts';
import type { MemberId, PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import {
  decodeEpochRotate,
  decodeParticipantAdd,
  decodeParticipantRemove,
  decodePhaseAddPhase,
  kindName,
} from '../../core/codec/operation.ts';
import { findMember } from '../../core/ledger/read.ts';
import type { COMPLAINT_REASONS } from '../../core/types/custody.ts';
import type { Envelope } from '../../core/types/operation.ts';
import type { PhaseState } from '../../core/types/state.ts';
import type { EpochKeys, EpochSecret, PhaseCrypto, ProjectCardContext } from '../../ports/phase-crypto.ts';
import type { Unsealer } from '../../ports/sealing.ts';
import type { PhaseVisitor } from './follower.ts';
import type { LedgerAccess, LogItem } from './ports.ts';

/** An envelope for this member that gave it nothing: the reason for a complaint (DESIGN.md section 5). */
export interface EnvelopeFault {
  readonly phase: PhaseId;
  readonly position: number;
  readonly epoch: number;
  /** `own`: this node lacks the key that it was sealed to, which is nobody else's fault. */
  readonly kind: 'own' | keyof typeof COMPLAINT_REASONS;
  readonly reason: string;
}

/** An envelope as a leaf carries it, with what its HPKE info is made of. */
interface Delivery {
  readonly envelope: Envelope;
  readonly epoch: number;
  readonly membershipVersion: number;
}

interface HeldEpoch {
  readonly secret: Uint8Array;
  readonly keys: EpochKeys;
}

/** The number of the epoch that was current when the leaf at `position` was written. */
export function epochAt(phase: PhaseState, position: number): number {
  return phase.epochs.findLast(epoch => epoch.startPosition < position)?.number ?? 0;
}

/** Envelopes of the leaf, whoever they are for. */
function deliveries(phase: PhaseState, { leaf, transaction }: LogItem): Delivery[] {
  const content = (index: number) => transaction.signed.parts[index]?.content ?? new Uint8Array(0);
  const all = (envelopes: readonly Envelope[], epoch: number, membershipVersion: number) =>
    envelopes.map(envelope => ({ envelope, epoch, membershipVersion }));
  switch (kindName(transaction.body.kind)) {
    case 'phaseAdd': {
      const added = decodePhaseAddPhase(content(1));
      return isReject(added) ? [] : all(added.epoch.envelopes, added.epoch.number, 0);
    }
    case 'participantAdd': {
      const added = decodeParticipantAdd(content(0));
      if (isReject(added)) return [];
      const version = added.expectedMembershipVersion;
      if (added.epoch !== null) return all(added.epoch.envelopes, added.epoch.number, version);
      return all(added.envelope === null ? [] : [added.envelope], epochAt(phase, leaf.position), version);
    }
    case 'participantRemove': {
      const removed = decodeParticipantRemove(content(0));
      if (isReject(removed) || removed.epoch === null) return [];
      return all(removed.epoch.envelopes, removed.epoch.number, removed.expectedMembershipVersion);
    }
    case 'epochRotate': {
      const rotated = decodeEpochRotate(content(0));
      if (isReject(rotated)) return [];
      return all(rotated.epoch.envelopes, rotated.epoch.number, rotated.expectedMembershipVersion);
    }
    default:
      return [];
  }
}

export interface VaultConfig {
  readonly access: LedgerAccess;
  readonly crypto: PhaseCrypto;
  readonly member: MemberId;
  /** The member's sealing keys, older ones too: envelopes stay sealed to the key of their time. */
  readonly unsealers: readonly Unsealer[];
}

/** The epoch secrets of one member, opened from the logs it holds; they are in memory only and never written. */
export class PhaseVault implements PhaseVisitor {
  private readonly epochs = new Map<PhaseId, Map<number, HeldEpoch>>();
  private readonly faultsByLeaf = new Map<string, EnvelopeFault>();
  private readonly unsealers: Unsealer[];

  constructor(private readonly config: VaultConfig) {
    this.unsealers = [...config.unsealers];
  }

  /** For a member that rotated its sealing key. */
  addUnsealer(unsealer: Unsealer): void {
    this.unsealers.push(unsealer);
  }

  /** Null when the secret of this epoch was never given to this member. */
  keys(phase: PhaseId, epoch: number): EpochKeys | null {
    return this.epochs.get(phase)?.get(epoch)?.keys ?? null;
  }

  /** Ascending. */
  openEpochs(phase: PhaseId): number[] {
    return [...(this.epochs.get(phase)?.keys() ?? [])].sort((a, b) => a - b);
  }

  /** First epoch from which on every secret up to the current one is held; the next one's number when that one is not. */
  heldFrom(phase: PhaseState): number {
    const held = this.epochs.get(phase.id);
    let from = phase.epochs.length;
    while (from > 0 && held?.has(from - 1)) from -= 1;
    return from;
  }

  /** Epochs whose secrets the chain says this member was given, and that are not here: an opener can leave them out. */
  missing(phase: PhaseState): number[] {
    const { access, member } = this.config;
    const from = heldFrom(access.system(), phase, member) ?? phase.epochs.length;
    return phase.epochs.flatMap(({ number }) =>
      number >= from && this.keys(phase.id, number) === null ? [number] : [],
    );
  }

  /** Secrets of the epochs [from, to], to be granted; those that are not held are missing. */
  secrets(phase: PhaseId, from: number, to: number): EpochSecret[] {
    const held = this.epochs.get(phase);
    return this.openEpochs(phase)
      .filter(number => number >= from && number <= to)
      .map(number => ({ number, secret: held!.get(number)!.secret }));
  }

  /** A card that was sealed to this member as the owner; null when none of its sealing keys opens it. */
  async openProjectCard(context: ProjectCardContext, sealed: Uint8Array): Promise<Uint8Array | null> {
    for (const unsealer of this.unsealers.toReversed()) {
      const plaintext = await this.config.crypto.openProjectCard(context, unsealer, sealed);
      if (plaintext !== null) return plaintext;
    }
    return null;
  }

  /** Envelopes for this member that did not open, or did not hold what the chain commits to. */
  faults(phase: PhaseId): EnvelopeFault[] {
    return [...this.faultsByLeaf.values()].filter(fault => fault.phase === phase);
  }

  async visit(phase: PhaseState, item: LogItem): Promise<void> {
    const own = deliveries(phase, item).filter(({ envelope }) => envelope.member === this.config.member);
    for (const delivery of own) {
      const fault = await this.open(phase, delivery);
      const key = `${phase.id}/${item.leaf.position}`;
      if (fault === null) {
        this.faultsByLeaf.delete(key);
        continue;
      }
      const { position } = item.leaf;
      this.faultsByLeaf.set(key, { phase: phase.id, position, epoch: delivery.epoch, ...fault });
    }
  }

  /** The sealing key of this member with this id; null when this node does not have it. */
  unsealerOf(keyId: number): Unsealer | null {
    const key = findMember(this.config.access.system(), this.config.member)?.keys[keyId];
    if (key === undefined || key.sealingKey === null) return null;
    const { sealingKey } = key;
    return this.unsealers.find(unsealer => equalBytes(unsealer.publicKey, sealingKey)) ?? null;
  }

  private async open(
    phase: PhaseState,
    { envelope, epoch, membershipVersion }: Delivery,
  ): Promise<Pick<EnvelopeFault, 'kind' | 'reason'> | null> {
    const unsealer = this.unsealerOf(envelope.keyId);
    if (unsealer === null) {
      return { kind: 'own', reason: `this node does not have sealing key ${envelope.keyId}` };
    }
    const { access, crypto } = this.config;
    const context = {
      chainId: access.chainId,
      project: phase.project,
      phase: phase.id,
      epoch,
      membershipVersion,
      member: envelope.member,
      keyId: envelope.keyId,
    };
    const secrets = await crypto.openEnvelope(context, unsealer, envelope.sealed);
    if (secrets === null) return { kind: 'unopened', reason: 'the envelope does not open' };
    const wrong = secrets.filter(entry => !this.keep(phase, entry)).map(entry => entry.number);
    if (wrong.length > 0) {
      const reason = `not the secret that the chain commits to: epoch ${wrong.join(', ')}`;
      return { kind: 'wrongSecret', reason };
    }
    if (this.keys(phase.id, epoch) !== null) return null;
    return { kind: 'wrongSecret', reason: `the secret of epoch ${epoch} is not in the envelope` };
  }

  /** Keeps a secret that derives what the chain has; anything else would make records that nobody else can open. */
  keep(phase: PhaseState, { number, secret }: EpochSecret): boolean {
    const keys = this.config.crypto.deriveEpoch(secret);
    const epoch = phase.epochs[number];
    if (epoch === undefined || keys.commitment !== epoch.commitment) return false;
    if (!equalBytes(keys.publicKey, epoch.publicKey)) return false;
    let held = this.epochs.get(phase.id);
    if (held === undefined) {
      held = new Map();
      this.epochs.set(phase.id, held);
    }
    held.set(number, { secret, keys });
    return true;
  }
}
