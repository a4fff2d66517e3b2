import { equalBytes } from '../base/bytes.ts';
import { type Hash, isMemberId, type Suite } from '../base/ids.ts';
import { validatorKeyBytes } from '../codec/governance.ts';
import { checkParameters } from '../ledger/parameters.ts';
import { findMember, memberOfPeer } from '../ledger/read.ts';
import { faultsTolerated } from '../quorum/quorum.ts';
import type { Validator } from '../types/chain.ts';
import {
  type Action,
  type ActionType,
  type Administration,
  type Governance,
  type Proposal,
  protocolVersionAt,
} from '../types/governance.ts';
import { LIMITS } from '../types/limits.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Parameters, SystemState } from '../types/state.ts';
import { applyMemberAction, checkMemberAction, isMemberAction, verifyRekeyProof } from './member-actions.ts';
import { demand, firstRefusal, hasPublicKeyForm, isStrictlyAscending } from './rule.ts';
import { mayAct } from './standing.ts';

type ActionOf<T extends ActionType> = Extract<Action, { readonly type: T }>;

/** What a proposal asks for, as it stands in the proposal and in the transaction that makes it. */
export type Change = Pick<Proposal, 'validatorSetId' | 'actions'>;

function ofType<T extends ActionType>(actions: readonly Action[], type: T): ActionOf<T>[] {
  return actions.filter((action): action is ActionOf<T> => action.type === type);
}

function nameOf(action: Action): string | null {
  if (action.type === 'validatorAdd') return action.validator.name;
  return action.type === 'validatorRemove' || action.type === 'validatorRekey' ? action.name : null;
}

export function changesValidators({ actions }: Pick<Change, 'actions'>): boolean {
  return actions.some(action => nameOf(action) !== null);
}

function administrationOf(system: SystemState): Administration {
  return { members: system.administrators, threshold: system.administratorThreshold };
}

function isSameAdministration(a: Administration, b: Administration): boolean {
  return a.threshold === b.threshold && a.members.join() === b.members.join();
}

/** The version of the last activation, whether its height has come or not. */
function latestVersion({ protocolVersion, activation }: Governance): number {
  return activation?.version ?? protocolVersion;
}

/** Compare-and-set: something that this changes is not what its proposer saw. */
export function isStale(system: SystemState, change: Change): boolean {
  if (changesValidators(change) && change.validatorSetId !== system.validatorSet.id) return true;
  return change.actions.some(action => {
    if (action.type === 'parameters') {
      return action.changes.some(({ name, before }) => system.parameters[name] !== before);
    }
    if (action.type === 'administrators') {
      return !isSameAdministration(action.before, administrationOf(system));
    }
    if (action.type === 'memberRekey') {
      const member = findMember(system, action.card.id);
      return member !== null && action.before !== member.version;
    }
    return action.type === 'protocolVersion' && action.before !== latestVersion(system.governance);
  });
}

/** Each thing is changed once. */
function hasForm({ actions }: Change): boolean {
  const names = actions.map(nameOf).filter(name => name !== null);
  const parameters = ofType(actions, 'parameters').flatMap(action => action.changes.map(({ name }) => name));
  const once = (['parameters', 'administrators', 'protocolVersion'] as const).every(
    type => ofType(actions, type).length <= 1,
  );
  const isEmpty = ofType(actions, 'parameters').some(action => action.changes.length === 0);
  return (
    actions.length > 0 &&
    (actions.length === 1 || !actions.some(isMemberAction)) &&
    once &&
    !isEmpty &&
    new Set(names).size === names.length &&
    new Set(parameters).size === parameters.length
  );
}

function hasValidatorForm({ validator, addresses }: ActionOf<'validatorAdd'>): boolean {
  return (
    isMemberId(validator.name) &&
    hasPublicKeyForm(validator.publicKey) &&
    validator.peerId.length > 0 &&
    addresses.every(address => address.length > 0)
  );
}

function holdsKey(validators: readonly Validator[], publicKey: Uint8Array): boolean {
  return validators.some(validator => equalBytes(validator.publicKey, publicKey));
}

/** A key serves one validator in one stay: that of a set before may have been used by somebody who left. */
function isFreshKey(system: SystemState, publicKey: Uint8Array): boolean {
  const known = [...system.validatorSet.validators, ...(system.governance.previousSet?.validators ?? [])];
  return hasPublicKeyForm(publicKey) && !holdsKey(known, publicKey);
}

function checkRemovals(system: SystemState, actions: readonly Action[]): number {
  const { validators } = system.validatorSet;
  const named = [...ofType(actions, 'validatorRemove'), ...ofType(actions, 'validatorRekey')];
  const known = named.every(({ name }) => validators.some(validator => validator.name === name));
  return demand(known, OUTCOMES.unknownValidator);
}

function checkNewcomers(system: SystemState, actions: readonly Action[]): number {
  const { validators } = system.validatorSet;
  const leaving = new Set(ofType(actions, 'validatorRemove').map(({ name }) => name));
  const staying = validators.filter(validator => !leaving.has(validator.name));
  const added = ofType(actions, 'validatorAdd');
  const peerIds = [...staying, ...added.map(({ validator }) => validator)].map(({ peerId }) => peerId);
  const keys = [
    ...added.map(({ validator }) => validator.publicKey),
    ...ofType(actions, 'validatorRekey').map(({ publicKey }) => publicKey),
  ];
  const twice = keys.some((key, index) => keys.findIndex(other => equalBytes(other, key)) !== index);
  return firstRefusal(
    () => demand(added.every(hasValidatorForm), OUTCOMES.malformed),
    () =>
      demand(
        !added.some(({ validator }) => validators.some(({ name }) => name === validator.name)),
        OUTCOMES.validatorExists,
      ),
    () =>
      demand(
        new Set(peerIds).size === peerIds.length &&
          added.every(({ validator }) => memberOfPeer(system, validator.peerId) === null),
        OUTCOMES.peerIdTaken,
      ),
    () => demand(!twice && keys.every(key => isFreshKey(system, key)), OUTCOMES.consensusKeyTaken),
  );
}

/** A network that tolerates a fault is not made one that tolerates none. */
function checkSetSize(before: number, after: number): number {
  return firstRefusal(
    () =>
      demand(
        after > 0 && (faultsTolerated(before) === 0 || faultsTolerated(after) > 0),
        OUTCOMES.setTooSmall,
      ),
    () => demand(after <= LIMITS.validatorsMax, OUTCOMES.setTooLarge),
  );
}

/** The set after the actions: those who stay in their order, then the new ones. */
function nextValidators(system: SystemState, actions: readonly Action[]): Validator[] {
  const leaving = new Set(ofType(actions, 'validatorRemove').map(({ name }) => name));
  const keys = new Map(
    ofType(actions, 'validatorRekey').map(({ name, publicKey }) => [name, publicKey] as const),
  );
  const staying = system.validatorSet.validators.filter(({ name }) => !leaving.has(name));
  return [
    ...staying.map(entry => ({ ...entry, publicKey: keys.get(entry.name) ?? entry.publicKey })),
    ...ofType(actions, 'validatorAdd').map(({ validator }) => validator),
  ];
}

function nextParameters(system: SystemState, actions: readonly Action[]): Parameters {
  const changes = ofType(actions, 'parameters').flatMap(action => action.changes);
  return { ...system.parameters, ...Object.fromEntries(changes.map(({ name, after }) => [name, after])) };
}

/** Ids are remembered for the window: in a smaller one a forgotten transaction could come again. */
function checkNextParameters(system: SystemState, actions: readonly Action[]): number {
  const next = nextParameters(system, actions);
  const validators = nextValidators(system, actions).length;
  const holds =
    checkParameters(next, validators) === null &&
    next.replayWindowBlocks >= system.parameters.replayWindowBlocks;
  return demand(holds, OUTCOMES.badParameters);
}

function checkAdministration(system: SystemState, { members, threshold }: Administration): number {
  const active = members.flatMap(id => findMember(system, id) ?? []).filter(({ revoked }) => !revoked);
  const holds =
    isStrictlyAscending(members) &&
    active.length === members.length &&
    threshold >= 1 &&
    // of the suspended, only others can make an end to it
    threshold <= active.filter(mayAct).length &&
    members.length <= LIMITS.administratorsMax;
  return demand(holds, OUTCOMES.badAdministrators);
}

function checkActivation(
  system: SystemState,
  action: ActionOf<'protocolVersion'>,
  expiresHeight: number,
): number {
  // A later height than any ballot: the blocks that carry the old version are known when it passes.
  const holds = action.version > latestVersion(system.governance) && action.height > expiresHeight;
  return demand(holds, OUTCOMES.badActivation);
}

/**
 * Whether the change can be made to this state; `OUTCOMES.committed`, or the first reason against [59]. Asked when a
 * proposal is made and again when it passes.
 * @param expiresHeight the last height at which the proposal can pass
 */
export function checkChange(system: SystemState, change: Change, expiresHeight: number): number {
  const { actions } = change;
  if (!hasForm(change)) return OUTCOMES.malformed;
  const before = system.validatorSet.validators.length;
  return firstRefusal(
    () => demand(!isStale(system, change), OUTCOMES.staleVersion),
    () => checkRemovals(system, actions),
    () => checkNewcomers(system, actions),
    () =>
      changesValidators(change)
        ? checkSetSize(before, nextValidators(system, actions).length)
        : OUTCOMES.committed,
    () => checkNextParameters(system, actions),
    ...ofType(actions, 'administrators').map(
      ({ after }) =>
        () =>
          checkAdministration(system, after),
    ),
    ...ofType(actions, 'protocolVersion').map(action => () => checkActivation(system, action, expiresHeight)),
    ...actions.filter(isMemberAction).map(action => () => checkMemberAction(system, action)),
  );
}

/** Every new key is held by whom it is proposed for; once shown, it stays shown. */
export function verifyKeyProofs(
  suite: Suite,
  chainId: Hash,
  system: SystemState,
  actions: readonly Action[],
): boolean {
  return actions.every(action => {
    if (action.type === 'validatorAdd') {
      const { validator, proof } = action;
      return suite.verify(validator.publicKey, validatorKeyBytes(chainId, validator), proof);
    }
    if (action.type === 'memberRekey') return verifyRekeyProof(suite, chainId, action);
    if (action.type !== 'validatorRekey') return true;
    const { name, publicKey, proof } = action;
    const entry = system.validatorSet.validators.find(validator => validator.name === name);
    if (entry === undefined) return false;
    return suite.verify(publicKey, validatorKeyBytes(chainId, { ...entry, publicKey }), proof);
  });
}

function nextAddresses(system: SystemState, validators: readonly Validator[], actions: readonly Action[]) {
  const added = ofType(actions, 'validatorAdd').map(({ validator, addresses }) => ({
    peerId: validator.peerId,
    addresses,
  }));
  const peers = new Set(validators.map(({ peerId }) => peerId));
  return [...system.governance.addresses, ...added].filter(({ peerId }) => peers.has(peerId));
}

/** After `checkChange`. */
export function applyChange(system: SystemState, change: Change, height: number): SystemState {
  const { actions } = change;
  let { validatorSet, setChangeHeight, administrators, administratorThreshold, governance } = system;
  if (changesValidators(change)) {
    const validators = nextValidators(system, actions);
    governance = {
      ...governance,
      previousSet: validatorSet,
      addresses: nextAddresses(system, validators, actions),
    };
    validatorSet = { id: validatorSet.id + 1, validators };
    setChangeHeight = height;
  }
  for (const { after } of ofType(actions, 'administrators')) {
    administrators = after.members;
    administratorThreshold = after.threshold;
  }
  for (const { version, height: from } of ofType(actions, 'protocolVersion')) {
    const protocolVersion = protocolVersionAt(governance, height);
    governance = { ...governance, protocolVersion, activation: { version, height: from } };
  }
  const parameters = nextParameters(system, actions);
  const acted = actions
    .filter(isMemberAction)
    .reduce((state, each) => applyMemberAction(state, each, height), system);
  return {
    ...acted,
    parameters,
    validatorSet,
    setChangeHeight,
    administrators,
    administratorThreshold,
    governance,
  };
}
