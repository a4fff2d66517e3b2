import { assert } from '../base/assert.ts';
import { utf8, utf8Decode } from '../base/bytes.ts';
import { type Hash, isHash, type LogId, type MemberId, type PhaseId, type ProjectId } from '../base/ids.ts';
import { isReject, type Reject } from '../base/reject.ts';
import {
  decodeCount,
  decodeLogRow,
  decodePhaseState,
  decodeProjectState,
  decodeScopeRef,
  decodeSystemState,
  type LogRow,
  type ScopeRef,
  STATE_KEYS,
} from '../codec/state.ts';
import type { Member, PhaseState, ProjectState, StateView, SystemState } from '../types/state.ts';

/**
 * Decoded values by the very bytes they were decoded from: a store or overlay that answers with the same array costs
 * no second decoding. State bytes are never changed in place.
 */
function remembered<T extends object>(what: string, decode: (bytes: Uint8Array) => T | Reject) {
  const decoded = new WeakMap<Uint8Array, T>();
  return (bytes: Uint8Array): T => {
    const known = decoded.get(bytes);
    if (known !== undefined) return known;
    const value = decode(bytes);
    assert(!isReject(value), `stored ${what} decodes`);
    decoded.set(bytes, value);
    return value;
  };
}

const systemOf = remembered('system state', decodeSystemState);
const projectOf = remembered('project state', decodeProjectState);
const phaseOf = remembered('phase state', decodePhaseState);
const logOf = remembered('log row', decodeLogRow);

export function encodeChainId(chainId: Hash): Uint8Array {
  return utf8(chainId);
}

/** The chain id that genesis wrote. */
export function readChainId(view: StateView): Hash {
  const bytes = view.get(STATE_KEYS.chain);
  const chainId = bytes === null ? null : utf8Decode(bytes);
  assert(isHash(chainId), 'state holds its chain id');
  return chainId;
}

export function readSystem(view: StateView): SystemState {
  const bytes = view.get(STATE_KEYS.system);
  assert(bytes !== null, 'state holds the system scope');
  return systemOf(bytes);
}

export function readProject(view: StateView, id: ProjectId): ProjectState | null {
  const bytes = view.get(STATE_KEYS.project(id));
  return bytes === null ? null : projectOf(bytes);
}

export function readPhase(view: StateView, id: PhaseId): PhaseState | null {
  const bytes = view.get(STATE_KEYS.phase(id));
  return bytes === null ? null : phaseOf(bytes);
}

export function readLog(view: StateView, logId: LogId): LogRow | null {
  const bytes = view.get(STATE_KEYS.log(logId));
  return bytes === null ? null : logOf(bytes);
}

/** Whose log this is. */
export function readLogScope(view: StateView, logId: LogId): ScopeRef | null {
  const row = readLog(view, logId);
  return row === null ? null : { scope: row.scope, id: row.id };
}

/** The encoded state of a log's scope, whose digest the map certifies. */
export function readScopeBytes(view: StateView, ref: ScopeRef): Uint8Array | null {
  if (ref.scope === 'system') return view.get(STATE_KEYS.system);
  return view.get(ref.scope === 'project' ? STATE_KEYS.project(ref.id) : STATE_KEYS.phase(ref.id));
}

export function readMemberScopeCount(view: StateView, member: MemberId): number {
  const bytes = view.get(STATE_KEYS.memberScopeCount(member));
  if (bytes === null) return 0;
  const count = decodeCount(bytes);
  assert(!isReject(count), 'stored count decodes');
  return count;
}

/** The project or phase at `index` of those that the member ever owned or took part in, oldest first. */
export function readMemberScope(view: StateView, member: MemberId, index: number): ScopeRef {
  const bytes = view.get(STATE_KEYS.memberScope(member, index));
  assert(bytes !== null, 'a member scope below the count is there');
  const ref = decodeScopeRef(bytes);
  assert(!isReject(ref), 'stored scope reference decodes');
  return ref;
}

/** Projects and phases that the member ever owned or took part in, oldest first; it need not be in them any more. */
export function readMemberScopes(view: StateView, member: MemberId): ScopeRef[] {
  const count = readMemberScopeCount(view, member);
  return Array.from({ length: count }, (_, index) => readMemberScope(view, member, index));
}

/** Members are sorted by id. */
export function findMember(system: Pick<SystemState, 'members'>, id: MemberId): Member | null {
  let from = 0;
  let to = system.members.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const member = system.members[middle]!;
    if (member.id === id) return member;
    if (member.id < id) from = middle + 1;
    else to = middle;
  }
  return null;
}

const peersOf = new WeakMap<SystemState, ReadonlyMap<string, Member>>();

/** The active member that a libp2p peer id is bound to; a revoked member has no peers [94]. */
export function memberOfPeer(system: SystemState, peerId: string): Member | null {
  let peers = peersOf.get(system);
  if (peers === undefined) {
    const active = system.members.filter(member => !member.revoked);
    peers = new Map(active.flatMap(member => member.peerIds.map(peer => [peer, member] as const)));
    peersOf.set(system, peers);
  }
  return peers.get(peerId) ?? null;
}
