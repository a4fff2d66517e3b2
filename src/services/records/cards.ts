import { ownKeyOf } from '../../core/access/member-keys.ts';
import { utf8 } from '../../core/base/bytes.ts';
import type { PhaseId, ProjectId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import {
  encodeCard,
  encodeCardCiphertext,
  encodePhaseCardChange,
  encodeProjectCardChange,
} from '../../core/codec/card.ts';
import { findMember } from '../../core/ledger/read.ts';
import type { PhaseCard } from '../../core/types/card.ts';
import { LIMITS } from '../../core/types/limits.ts';
import type { PhaseState, ProjectState } from '../../core/types/state.ts';
import type { EpochKeys } from '../../ports/phase-crypto.ts';
import { type Context, phaseLog, projectLog } from './context.ts';
import type { OpenedCard } from './opened-cards.ts';
import {
  type Refusal,
  refuse,
  sealing,
  short,
  unknownMember,
  unknownPhase,
  unknownProject,
} from './refusal.ts';
import type { Committed } from './sender.ts';

/** Of those who never saw a name. */
const NAMELESS: PhaseCard = { label: '', project: '', recordTypes: [] };

export function checkLabel(label: string): Refusal | null {
  const bytes = utf8(label).length;
  if (bytes > 0 && bytes <= LIMITS.labelBytes) return null;
  const detail = `a label of ${bytes} bytes; it has 1 to ${LIMITS.labelBytes}`;
  return refuse('bad_label', detail, 'Choose another label.');
}

/** Seals a card for all who hold the epoch's secret. */
export function sealPhaseCard(
  context: Context,
  keys: EpochKeys,
  { phase, epoch }: { readonly phase: PhaseId; readonly epoch: number },
  card: PhaseCard,
): Uint8Array {
  const { access, crypto } = context;
  const contentKey = crypto.generateSecret();
  const keyCommitment = crypto.keyCommitment(contentKey);
  const place = { chainId: access.chainId, phase, epoch, keyCommitment };
  const wrappedKey = crypto.wrapContentKey(keys, place, contentKey);
  const where = { logId: phaseLog(context, phase), epoch, keyCommitment };
  return encodeCardCiphertext({
    keyCommitment,
    wrappedKey,
    payload: crypto.sealPayload(contentKey, where, encodeCard(card)),
  });
}

/** Seals a name to this member, as the owner. Refused with `bad_sealing_key` when its key is no point of the curve. */
export async function sealProjectCard(
  { access, crypto, member }: Context,
  place: { readonly project: ProjectId; readonly phase: PhaseId | null },
  label: string,
): Promise<Uint8Array | Refusal> {
  const known = findMember(access.system(), member);
  if (known === null) return unknownMember(member);
  const context = { ...place, chainId: access.chainId };
  return sealing(crypto.sealProjectCard(context, ownKeyOf(known).key.sealingKey, encodeCard({ label })));
}

/** The phase's card as this member can open it, or could at last, and what opens it; null when it never could. */
export async function openedCard(context: Context, id: PhaseId): Promise<OpenedCard | null> {
  await context.follower.catchUp(id);
  return context.cards.phase(id);
}

export async function openPhaseCard(context: Context, id: PhaseId): Promise<PhaseCard | null> {
  return (await openedCard(context, id))?.card ?? null;
}

/** What this member calls a phase: by the phase's card, else by the owner's; null when it can open neither. */
export async function phaseLabel(context: Context, id: PhaseId, project: ProjectId): Promise<string | null> {
  const shared = (await openPhaseCard(context, id))?.label ?? '';
  if (shared !== '') return shared;
  const own = context.access.project(project)?.phases.find(phase => phase.id === id);
  return own === undefined ? null : context.cards.own(project, id, own.card);
}

/** What this member calls a project: as its owner, else by the card of a phase of it; null when it can open none. */
export async function projectLabel(context: Context, id: ProjectId): Promise<string | null> {
  const { access, cards } = context;
  const state = access.project(id);
  const own = state === null ? null : await cards.own(id, null, state.card);
  if (own !== null) return own;
  for (const phase of access.phases()) {
    if (phase.project !== id) continue;
    const shared = (await openPhaseCard(context, phase.id))?.project ?? '';
    if (shared !== '') return shared;
  }
  return null;
}

/** What a phase is called in messages: by what was opened so far. */
export function phaseName({ cards }: Context, { id }: Pick<PhaseState, 'id'>): string {
  const label = cards.phase(id)?.card.label ?? '';
  return label === '' ? `phase ${short(id)}` : `phase "${label}" (${short(id)})`;
}

/** The card that the next epoch takes over. A rotation never fails for want of a name. */
export async function currentCard(context: Context, { id, project }: PhaseState): Promise<PhaseCard> {
  const opened = await openPhaseCard(context, id);
  if (opened !== null) return opened;
  const label = (await phaseLabel(context, id, project)) ?? '';
  return { ...NAMELESS, label, project: (await projectLabel(context, project)) ?? '' };
}

/** The chain cannot see names, so whoever names a phase looks at those of the project: its own, and what it opened so far. */
export async function checkLabelIsFree(
  context: Context,
  project: ProjectState,
  label: string,
  except: PhaseId | null = null,
): Promise<Refusal | null> {
  const { cards } = context;
  for (const { id, card } of project.phases) {
    if (id === except) continue;
    const isTaken =
      cards.phase(id)?.card.label === label || (await cards.own(project.id, id, card)) === label;
    if (!isTaken) continue;
    const detail = `phase ${short(id)} of this project is called "${label}" already`;
    return refuse('label_taken', detail, 'Choose another label.');
  }
  return null;
}

/**
 * Seals another card under the current epoch, by the owner or a steward who holds the keys. Refused with `unknown_phase`,
 * `key_missing`, `card_too_large` or the ledger's outcome: `staleMembership` when the phase changed meanwhile.
 */
export async function changePhaseCard(
  context: Context,
  id: PhaseId,
  change: (card: PhaseCard) => PhaseCard,
): Promise<Committed | Refusal> {
  const phase = await context.follower.catchUp(id);
  if (phase === null) return unknownPhase(id);
  const name = phaseName(context, phase);
  const epoch = phase.epochs.length - 1;
  const keys = context.vault.keys(id, epoch);
  if (keys === null) {
    const detail = `${context.member} does not hold the keys of ${name}`;
    return refuse(
      'key_missing',
      detail,
      'One who holds them must do this: the owner by custody, or a steward.',
    );
  }
  const bytes = sealPhaseCard(context, keys, { phase: id, epoch }, change(await currentCard(context, phase)));
  if (bytes.length > LIMITS.cardBytes) {
    const detail = `the card of ${name} would have ${bytes.length} bytes; it has at most ${LIMITS.cardBytes}`;
    return refuse('card_too_large', detail, 'Make the schemas of its record types smaller.');
  }
  const { membershipVersion: expectedMembershipVersion } = phase;
  const content = encodePhaseCardChange({ phase: id, expectedMembershipVersion, card: { epoch, bytes } });
  return context.sender.send({
    kind: 'phaseCard',
    scopes: [phaseLog(context, id)],
    parts: [{ scope: 0, content }],
    what: `change the card of ${name}`,
  });
}

async function changeProjectCard(
  context: Context,
  project: ProjectState,
  phase: PhaseId | null,
  label: string,
): Promise<Committed | Refusal> {
  const card = await sealProjectCard(context, { project: project.id, phase }, label);
  if (isReject(card)) return card;
  const change = { project: project.id, expectedVersion: project.version, phase, card };
  return context.sender.send({
    kind: 'projectCard',
    scopes: [projectLog(context, project.id)],
    parts: [{ scope: 0, content: encodeProjectCardChange(change) }],
    what: `rename ${phase === null ? `project ${short(project.id)}` : `phase ${short(phase)}`} to "${label}"`,
  });
}

/** Gives a phase another name: for its participants, and where this member owns the project in its own list too. */
export async function renamePhase(
  context: Context,
  id: PhaseId,
  label: string,
): Promise<Committed | Refusal> {
  const fault = checkLabel(label);
  if (fault !== null) return fault;
  const phase = context.access.phase(id);
  if (phase === null) return unknownPhase(id);
  const project = context.access.project(phase.project);
  const taken = project === null ? null : await checkLabelIsFree(context, project, label, id);
  if (taken !== null) return taken;
  const done = await changePhaseCard(context, id, card => ({ ...card, label }));
  if (isReject(done) || project === null) return done;
  return changeProjectCard(context, project, id, label);
}

export interface Renamed extends Committed {
  /** Phases whose participants go on to see the old name, because their keys are not held here. */
  readonly unchanged: readonly PhaseId[];
}

/** Gives a project another name: in the owner's list, and in the card of each phase whose keys it holds. */
export async function renameProject(
  context: Context,
  id: ProjectId,
  label: string,
): Promise<Renamed | Refusal> {
  const fault = checkLabel(label);
  if (fault !== null) return fault;
  const state = context.access.project(id);
  if (state === null) return unknownProject(id);
  const done = await changeProjectCard(context, state, null, label);
  if (isReject(done)) return done;
  const unchanged: PhaseId[] = [];
  for (const phase of state.phases) {
    const told = await changePhaseCard(context, phase.id, card => ({ ...card, project: label }));
    if (isReject(told)) unchanged.push(phase.id);
  }
  return { ...done, unchanged };
}
