import { equalBytes } from '../../core/base/bytes.ts';
import type { Hash, PhaseId, ProjectId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import {
  decodeCardCiphertext,
  decodePhaseCard,
  decodePhaseCardChange,
  decodeProjectCard,
} from '../../core/codec/card.ts';
import {
  decodeEpochRotate,
  decodeParticipantAdd,
  decodeParticipantRemove,
  decodePhaseAddPhase,
  kindName,
} from '../../core/codec/operation.ts';
import type { PhaseCard, SealedCard } from '../../core/types/card.ts';
import type { EpochOpening } from '../../core/types/operation.ts';
import type { PhaseState } from '../../core/types/state.ts';
import type { PhaseCrypto } from '../../ports/phase-crypto.ts';
import type { PhaseVisitor } from './follower.ts';
import type { LedgerAccess, LogItem } from './ports.ts';
import type { PhaseVault } from './vault.ts';

/** A card of a phase that this member could open, and what opens it for a third party. */
export interface OpenedCard {
  /** Of the leaf that brought it. */
  readonly position: number;
  readonly card: PhaseCard;
  /** As the chain has it. */
  readonly sealed: Uint8Array;
  readonly contentKey: Uint8Array;
}

const ofOpening = (opening: EpochOpening | null): SealedCard | null =>
  opening === null ? null : { epoch: opening.number, bytes: opening.card };

/** The card that a leaf of the phase brings; null when it brings none. */
function cardOf({ transaction }: LogItem): SealedCard | null {
  const content = (index: number) => transaction.signed.parts[index]?.content ?? new Uint8Array(0);
  const from = <T>(decoded: T, read: (value: Exclude<T, { reject: unknown }>) => SealedCard | null) =>
    isReject(decoded) ? null : read(decoded as Exclude<T, { reject: unknown }>);
  switch (kindName(transaction.body.kind)) {
    case 'phaseAdd':
      return from(decodePhaseAddPhase(content(1)), added => ofOpening(added.epoch));
    case 'participantAdd':
      return from(decodeParticipantAdd(content(0)), added => ofOpening(added.epoch));
    case 'participantRemove':
      return from(decodeParticipantRemove(content(0)), removed => ofOpening(removed.epoch));
    case 'epochRotate':
      return from(decodeEpochRotate(content(0)), rotated => ofOpening(rotated.epoch));
    case 'phaseCard':
      return from(decodePhaseCardChange(content(0)), changed => changed.card);
    default:
      return null;
  }
}

export interface OpenedCardsConfig {
  readonly access: LedgerAccess;
  readonly crypto: PhaseCrypto;
  readonly vault: PhaseVault;
  readonly logIdOf: (phase: PhaseId) => Hash;
}

/**
 * What this member knows phases and projects by: of each phase the last card that it could open, so that one who was removed
 * still has the name of its time; of its own projects what it sealed to itself. In memory only.
 */
export class OpenedCards implements PhaseVisitor {
  private readonly phases = new Map<PhaseId, OpenedCard>();
  /** The newest card that does not open yet. */
  private readonly unopened = new Map<PhaseId, { readonly position: number; readonly sealed: SealedCard }>();
  private readonly labels = new Map<string, { readonly sealed: Uint8Array; readonly label: string | null }>();

  constructor(private readonly config: OpenedCardsConfig) {}

  /** Null when no card of the phase opened here; up to date after the follower's `catchUp`. */
  phase(id: PhaseId): OpenedCard | null {
    return this.phases.get(id) ?? null;
  }

  /** What the owner calls its project, or a phase of it (`phase` null for the project); null when it does not open here. */
  async own(project: ProjectId, phase: PhaseId | null, sealed: Uint8Array): Promise<string | null> {
    const key = `${project}/${phase ?? ''}`;
    const known = this.labels.get(key);
    if (known !== undefined && equalBytes(known.sealed, sealed)) return known.label;
    const { access, vault } = this.config;
    const plaintext = await vault.openProjectCard({ chainId: access.chainId, project, phase }, sealed);
    const label = (plaintext === null ? null : decodeProjectCard(plaintext)?.label) ?? null;
    this.labels.set(key, { sealed, label });
    return label;
  }

  async visit(phase: PhaseState, item: LogItem): Promise<void> {
    const sealed = cardOf(item);
    const known = this.phases.get(phase.id);
    if (sealed !== null && (known === undefined || known.position <= item.leaf.position)) {
      this.unopened.set(phase.id, { position: item.leaf.position, sealed });
    }
    // a newcomer is granted the secret by a leaf after the one that brought the card
    const next = this.unopened.get(phase.id);
    const opened = next === undefined ? null : await this.open(phase.id, next.sealed);
    if (next === undefined || opened === null) return;
    this.phases.set(phase.id, { position: next.position, sealed: next.sealed.bytes, ...opened });
    this.unopened.delete(phase.id);
  }

  private async open(phase: PhaseId, { epoch, bytes }: SealedCard) {
    const { access, crypto, logIdOf, vault } = this.config;
    const keys = vault.keys(phase, epoch);
    const ciphertext = keys === null ? null : decodeCardCiphertext(bytes);
    if (keys === null || ciphertext === null || isReject(ciphertext)) return null;
    const { keyCommitment, wrappedKey, payload } = ciphertext;
    const place = { chainId: access.chainId, phase, epoch, keyCommitment };
    const contentKey = await crypto.unwrapContentKey(keys, place, wrappedKey);
    if (contentKey === null) return null;
    const plaintext = crypto.openPayload(
      contentKey,
      { logId: logIdOf(phase), epoch, keyCommitment },
      payload,
    );
    const card = plaintext === null ? null : decodePhaseCard(plaintext);
    return card === null ? null : { card, contentKey };
  }
}
