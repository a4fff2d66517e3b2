import { EVIDENCE_SENDER } from '../access/evidence.ts';
import { hasCardForm, newMember } from '../access/members.ts';
import { hasPublicKeyForm, isStrictlyAscending } from '../access/rule.ts';
import { toHex, utf8 } from '../base/bytes.ts';
import { type BlockHash, isMemberId, type Sha256, type Suite, ZERO_HASH } from '../base/ids.ts';
import { type Reject, reject } from '../base/reject.ts';
import { headerHash, validatorSetHash } from '../codec/chain.ts';
import { chainIdOf } from '../codec/genesis.ts';
import {
  encodeLogRow,
  encodeSystemState,
  type LogRow,
  mapKeyOf,
  mapValueOf,
  STATE_KEYS,
  scopeDigest,
} from '../codec/state.ts';
import { logIdOf } from '../codec/transaction.ts';
import { EMPTY_FRONTIER, frontierRoot, treeRoot } from '../merkle/log.ts';
import { mapUpdate } from '../merkle/map.ts';
import type { Block, Header } from '../types/chain.ts';
import { INITIAL_GOVERNANCE } from '../types/governance.ts';
import { LIMITS, VERSIONS } from '../types/limits.ts';
import type { Diff, Genesis, SystemState } from '../types/state.ts';
import { checkParameters } from './parameters.ts';
import { encodeChainId } from './read.ts';

function isText(text: string, bytesMax: number): boolean {
  return text.length > 0 && utf8(text).length <= bytesMax;
}

function duplicateOf(values: readonly string[]): string | null {
  return values.find((value, index) => values.indexOf(value) !== index) ?? null;
}

function checkForms({ name, timeMs, validators, members, administrators }: Genesis): Reject | null {
  if (!isText(name, LIMITS.labelBytes)) return reject('bad_genesis', 'name is empty or too long');
  if (!Number.isSafeInteger(timeMs) || timeMs < 0) return reject('bad_genesis', `time is ${timeMs}`);
  if (validators.length === 0) return reject('bad_genesis', 'no validator');
  const counts = [
    [validators.length, LIMITS.validatorsMax, 'validators'],
    [members.length, LIMITS.membersMax, 'members'],
    [administrators.length, LIMITS.administratorsMax, 'administrators'],
  ] as const;
  const over = counts.find(([count, max]) => count > max);
  if (over !== undefined) return reject('bad_genesis', `${over[0]} ${over[2]}, at most ${over[1]}`);
  const badName = [...validators.map(entry => entry.name), ...members.map(card => card.id)].find(
    id => !isMemberId(id),
  );
  if (badName !== undefined) return reject('bad_genesis', `${badName} is not a short name`);
  if (members.some(card => card.id === EVIDENCE_SENDER.id)) {
    return reject('bad_genesis', `a member is called ${EVIDENCE_SENDER.id}, which is reserved`);
  }
  const badValidator = validators.find(
    ({ publicKey, peerId }) => !hasPublicKeyForm(publicKey) || !isText(peerId, LIMITS.peerIdBytes),
  );
  if (badValidator !== undefined) return reject('bad_genesis', `key or peer id of ${badValidator.name}`);
  const badCard = members.find(
    card =>
      !hasCardForm(card) ||
      !isText(card.name, LIMITS.memberNameBytes) ||
      card.peerIds.length > LIMITS.peerIdsPerMember ||
      card.peerIds.some(peerId => !isText(peerId, LIMITS.peerIdBytes)),
  );
  return badCard === undefined ? null : reject('bad_genesis', `card of member ${badCard.id}`);
}

function checkPeople({
  validators,
  members,
  administrators,
  administratorThreshold,
}: Genesis): Reject | null {
  const peerIds = [...validators.map(entry => entry.peerId), ...members.flatMap(card => card.peerIds)];
  const twice =
    duplicateOf(peerIds) ??
    duplicateOf(validators.map(entry => entry.name)) ??
    duplicateOf(validators.map(entry => toHex(entry.publicKey)));
  if (twice !== null) return reject('bad_genesis', `${twice} is named twice`);
  if (!isStrictlyAscending(members.map(card => card.id))) {
    return reject('bad_genesis', 'members are not sorted by id, each once');
  }
  const stranger = administrators.find(id => !members.some(card => card.id === id));
  if (stranger !== undefined) return reject('bad_genesis', `administrator ${stranger} is not a member`);
  if (duplicateOf(administrators) !== null || administrators.length === 0) {
    return reject('bad_genesis', 'administrators are not a set of members');
  }
  if (administratorThreshold < 1 || administratorThreshold > administrators.length) {
    return reject('bad_genesis', `threshold ${administratorThreshold} of ${administrators.length}`);
  }
  return null;
}

/** What the types do not say of a genesis; whoever reads one checks it before it makes a chain. */
export function checkGenesis(genesis: Genesis): Reject | null {
  return (
    checkForms(genesis) ??
    checkParameters(genesis.parameters, genesis.validators.length) ??
    checkPeople(genesis)
  );
}

export function genesisSystem(genesis: Genesis): SystemState {
  return {
    version: 0,
    parameters: genesis.parameters,
    validatorSet: { id: 0, validators: genesis.validators },
    setChangeHeight: 0,
    administrators: genesis.administrators,
    administratorThreshold: genesis.administratorThreshold,
    members: genesis.members.map(card => newMember(card, 0)),
    governance: INITIAL_GOVERNANCE,
  };
}

function emptySystemLog(sha256: Sha256, chainId: Header['chainId'], stateBytes: Uint8Array): LogRow {
  const root = frontierRoot(sha256, EMPTY_FRONTIER);
  const digest = scopeDigest(sha256, stateBytes);
  return { scope: 'system', id: chainId, size: 0, root, digest, frontier: EMPTY_FRONTIER };
}

/** Block 0: the system scope with an empty log. It has no certificate; its hash is the trust anchor. */
export function genesisBlock(
  suite: Suite,
  genesis: Genesis,
): { readonly block: Block; readonly hash: BlockHash; readonly diff: Diff } {
  const { sha256 } = suite;
  const chainId = chainIdOf(sha256, genesis);
  const system = genesisSystem(genesis);
  const systemBytes = encodeSystemState(system);
  const logId = logIdOf(sha256, chainId, 'system', chainId);
  const row = emptySystemLog(sha256, chainId, systemBytes);
  const entries = new Map([[mapKeyOf(sha256, logId), mapValueOf(sha256, row)]]);
  const map = mapUpdate(sha256, () => null, ZERO_HASH, entries);
  const setHash = validatorSetHash(sha256, system.validatorSet);
  const header: Header = {
    version: VERSIONS.header,
    chainId,
    height: 0,
    parentHash: ZERO_HASH,
    timeMs: genesis.timeMs,
    transactionsRoot: treeRoot(sha256, []),
    mapRoot: map.root,
    validatorSetId: 0,
    validatorSetHash: setHash,
    nextValidatorSetHash: setHash,
    previousSetChangeHeight: 0,
  };
  const state = new Map([
    [STATE_KEYS.chain, encodeChainId(chainId)],
    [STATE_KEYS.system, systemBytes],
    [STATE_KEYS.log(logId), encodeLogRow(row)],
  ]);
  const diff: Diff = { height: 0, state, mapNodes: map.added, staleMapNodes: [], leaves: [], ids: [] };
  return { block: { header, entries: [] }, hash: headerHash(sha256, header), diff };
}
