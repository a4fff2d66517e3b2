import { hashBytes } from '../core/base/bytes.ts';
import { type Hash, isMemberId, type LogId, type MemberId } from '../core/base/ids.ts';
import { isReject, type Reject, reject } from '../core/base/reject.ts';
import {
  decodeValidatorSet,
  encodeValidatorSet,
  readCertificate,
  readHeader,
  writeCertificate,
  writeHeader,
} from '../core/codec/chain.ts';
import { contentCodec } from '../core/codec/content.ts';
import { Reader } from '../core/codec/reader.ts';
import type { ScopeKind, ScopeRef } from '../core/codec/state.ts';
import { SCOPE_KINDS } from '../core/codec/transaction.ts';
import { decodeFreshHead, encodeFreshHead, type FreshHeadStatement } from '../core/light/fresh-head.ts';
import type { LogItem } from '../core/light/log-update.ts';
import { decodeReceipt, encodeReceipt, type Receipt } from '../core/light/receipt.ts';
import type { SetChange } from '../core/light/trust.ts';
import { encodeFrontier, type Frontier, readFrontier } from '../core/merkle/log.ts';
import { decodeMapProof, encodeMapProof, type MapProof } from '../core/merkle/map.ts';
import type { CertifiedHeader } from '../core/types/chain.ts';
import type { LogEntry } from '../core/types/state.ts';
import type { PeerId } from '../ports/transport.ts';
import { fromLong, ownBytes, toLong, wireCodec } from './codec.ts';
import { phaseline } from './generated/messages.js';
import { addressesOf, hashesOf, hashOf, LIGHT_WIRE_LIMITS, listOf } from './light.ts';

const LIGHT_ANSWER_LIMITS = {
  setChangesPerAnswer: 64,
  scopesPerAnswer: 1024,
  itemsPerLog: 65_536,
  consistencyHashes: 64,
  peersPerAnswer: 1024,
} as const;

/** A part of one log under the answer's head: items [from, from + items.length) and what ties them to `entry`. */
export interface LogPart {
  readonly entry: LogEntry;
  readonly mapProof: MapProof;
  readonly state: Uint8Array | null;
  readonly from: number;
  readonly frontier: Frontier;
  readonly items: readonly LogItem[];
  readonly consistency: readonly Hash[];
  readonly ended: boolean;
}

/**
 * What a source says of one log: that it is not for the asker; that the asker has all of it and its state, as the map proof
 * shows; that the asker has all up to its removal; that this answer is full; or a part.
 */
export type LogAnswer =
  | {
      readonly logId: LogId;
      readonly kind: 'refused';
      readonly code: string;
      /** Shows that there is no such log. */
      readonly absence?: MapProof;
    }
  | { readonly logId: LogId; readonly kind: 'unchanged'; readonly mapProof: MapProof }
  | { readonly logId: LogId; readonly kind: 'ended' }
  | { readonly logId: LogId; readonly kind: 'later' }
  | { readonly logId: LogId; readonly kind: 'part'; readonly part: LogPart };

export interface LogsAnswer {
  readonly height: number;
  /** Null when the asker knows the head, and for genesis. */
  readonly certified: CertifiedHeader | null;
  readonly scopeCount: number;
  readonly scopes: readonly ScopeRef[];
  /** Height of the snapshot that the server began with: the order of its scopes belongs to it. */
  readonly scopesBase: number;
  /** Of the logs that were asked for, in their order; then of those quiet ones that have changed, the system log first. */
  readonly logs: readonly LogAnswer[];
  /** `stepProof` for the quiet logs that did not change; null where none was asked for, or the server cannot tell. */
  readonly quiet: Uint8Array | null;
}

export interface MemberPeer {
  readonly member: MemberId;
  readonly peer: PeerId;
  readonly addresses: readonly string[];
}

export type TransactionStatus =
  | { readonly status: 'unknown' | 'pending' }
  | { readonly status: 'block'; readonly receipt: Receipt };

export type LightAnswer =
  | {
      readonly kind: 'head';
      readonly changes: readonly SetChange[];
      readonly certified: CertifiedHeader | null;
      /** Of the height that the asker knows, where the source has another block there. */
      readonly conflicting: CertifiedHeader | null;
    }
  | ({ readonly kind: 'logs' } & LogsAnswer)
  | { readonly kind: 'addresses'; readonly peers: readonly MemberPeer[] }
  | { readonly kind: 'verdicts'; readonly verdicts: readonly (Reject | null)[] }
  | { readonly kind: 'statuses'; readonly statuses: readonly TransactionStatus[] }
  | { readonly kind: 'fresh'; readonly statement: FreshHeadStatement };

const EMPTY = new Uint8Array(0);
const undecodable = (what: string) => reject('undecodable', `light: ${what}`);
const isEmpty = (bytes: Uint8Array | null | undefined) => (bytes?.length ?? 0) === 0;

export const { encode: encodeCertified, decode: decodeCertified } = contentCodec<CertifiedHeader>(
  'certified header',
  (writer, { header, certificate }) => {
    writeHeader(writer, header);
    writeCertificate(writer, certificate);
  },
  reader => ({ header: readHeader(reader), certificate: readCertificate(reader) }),
);

function certifiedOf(bytes: Uint8Array | null | undefined): CertifiedHeader | null | Reject {
  return isEmpty(bytes) ? null : decodeCertified(ownBytes(bytes));
}

function changeOf(wire: phaseline.LightSetChange.$Properties): SetChange | Reject {
  const certified = decodeCertified(ownBytes(wire.certified));
  if (isReject(certified)) return certified;
  const nextSet = decodeValidatorSet(ownBytes(wire.nextSet));
  return isReject(nextSet) ? nextSet : { certified, nextSet };
}

function scopeOf(wire: phaseline.LightScope.$Properties): ScopeRef | Reject {
  const names = Object.keys(SCOPE_KINDS) as ScopeKind[];
  const scope = names.find(name => SCOPE_KINDS[name] === (wire.scope ?? 0));
  const id = hashOf(wire.id);
  return scope === undefined || id === null ? undecodable('a scope') : { scope, id };
}

function logToWire(answer: LogAnswer): phaseline.LightLog.$Properties {
  const logId = hashBytes(answer.logId);
  if (answer.kind === 'refused') {
    const mapProof = answer.absence === undefined ? EMPTY : encodeMapProof(answer.absence);
    return { logId, refusal: answer.code, mapProof };
  }
  if (answer.kind === 'later') return { logId, later: true };
  if (answer.kind === 'ended') return { logId, unchanged: true };
  if (answer.kind === 'unchanged') {
    return { logId, unchanged: true, mapProof: encodeMapProof(answer.mapProof) };
  }
  const { entry, mapProof, state, from, frontier, items, consistency, ended } = answer.part;
  return {
    logId,
    size: toLong(entry.size),
    root: hashBytes(entry.root),
    digest: hashBytes(entry.digest),
    mapProof: encodeMapProof(mapProof),
    state: state ?? EMPTY,
    from: toLong(from),
    frontier: encodeFrontier(frontier),
    items: items.map(({ leaf, transaction }) => ({ leaf, transaction })),
    consistency: consistency.map(hashBytes),
    ended,
  };
}

function entryOf(wire: phaseline.LightLog.$Properties): LogEntry | Reject {
  const size = fromLong(wire.size);
  const root = hashOf(wire.root);
  const digest = hashOf(wire.digest);
  if (size === null || root === null || digest === null) return undecodable('a log entry');
  return { size, root, digest };
}

function partOf(wire: phaseline.LightLog.$Properties): LogPart | Reject {
  const entry = entryOf(wire);
  if (isReject(entry)) return entry;
  const mapProof = decodeMapProof(ownBytes(wire.mapProof));
  if (isReject(mapProof)) return mapProof;
  const reader = new Reader(ownBytes(wire.frontier));
  const frontier = reader.finish(readFrontier(reader), 'frontier');
  if (isReject(frontier)) return frontier;
  const consistency = hashesOf(wire.consistency, LIGHT_ANSWER_LIMITS.consistencyHashes);
  if (isReject(consistency)) return consistency;
  const items = listOf(wire.items, LIGHT_ANSWER_LIMITS.itemsPerLog, item => ({
    leaf: ownBytes(item.leaf),
    transaction: ownBytes(item.transaction),
  }));
  if (isReject(items)) return items;
  const from = fromLong(wire.from);
  if (from === null) return undecodable('position above 2^53 - 1');
  const state = isEmpty(wire.state) ? null : ownBytes(wire.state);
  return { entry, mapProof, state, from, frontier, items, consistency, ended: wire.ended ?? false };
}

function logOf(wire: phaseline.LightLog.$Properties): LogAnswer | Reject {
  const logId = hashOf(wire.logId) as LogId | null;
  if (logId === null) return undecodable('a log id');
  if (wire.refusal) {
    const refused = { logId, kind: 'refused', code: wire.refusal } as const;
    if (isEmpty(wire.mapProof)) return refused;
    const absence = decodeMapProof(ownBytes(wire.mapProof));
    return isReject(absence) ? absence : { ...refused, absence };
  }
  if (wire.later) return { logId, kind: 'later' };
  if (wire.unchanged && isEmpty(wire.mapProof)) return { logId, kind: 'ended' };
  if (wire.unchanged) {
    const mapProof = decodeMapProof(ownBytes(wire.mapProof));
    return isReject(mapProof) ? mapProof : { logId, kind: 'unchanged', mapProof };
  }
  const part = partOf(wire);
  return isReject(part) ? part : { logId, kind: 'part', part };
}

function logsOf(wire: phaseline.LightLogs.$Properties): LightAnswer | Reject {
  const certified = certifiedOf(wire.certified);
  if (isReject(certified)) return certified;
  const scopes = listOf(wire.scopes, LIGHT_ANSWER_LIMITS.scopesPerAnswer, scopeOf);
  if (isReject(scopes)) return scopes;
  const logs = listOf(wire.logs, 2 * LIGHT_WIRE_LIMITS.logsPerQuery, logOf);
  if (isReject(logs)) return logs;
  const height = fromLong(wire.height);
  const scopeCount = fromLong(wire.scopeCount);
  const scopesBase = fromLong(wire.scopesBase);
  if (height === null || scopeCount === null || scopesBase === null) {
    return undecodable('a number above 2^53 - 1');
  }
  const quiet = isEmpty(wire.quiet) ? null : ownBytes(wire.quiet);
  return { kind: 'logs', height, certified, scopeCount, scopes, scopesBase, logs, quiet };
}

function peerOf(wire: phaseline.LightPeer.$Properties): MemberPeer | Reject {
  const addresses = addressesOf(wire.addresses);
  if (isReject(addresses)) return addresses;
  const { member, peerId } = wire;
  return isMemberId(member) && peerId ? { member, peer: peerId, addresses } : undecodable('a peer');
}

function statusOf(wire: phaseline.LightStatus.$Properties): TransactionStatus | Reject {
  if (!wire.status) return { status: 'unknown' };
  if (wire.status === 1) return { status: 'pending' };
  const receipt = decodeReceipt(ownBytes(wire.receipt));
  return isReject(receipt) ? receipt : { status: 'block', receipt };
}

function verdictOf(wire: phaseline.LightVerdict.$Properties): { readonly verdict: Reject | null } {
  return { verdict: wire.accepted ? null : reject(wire.code ?? '', wire.detail ?? '', 'ignore') };
}

function answerToWire(answer: LightAnswer): phaseline.LightAnswer.$Properties {
  switch (answer.kind) {
    case 'head': {
      const changes = answer.changes.map(({ certified, nextSet }) => ({
        certified: encodeCertified(certified),
        nextSet: encodeValidatorSet(nextSet),
      }));
      const bytesOf = (certified: CertifiedHeader | null) =>
        certified === null ? EMPTY : encodeCertified(certified);
      const { certified, conflicting } = answer;
      return { head: { changes, certified: bytesOf(certified), conflicting: bytesOf(conflicting) } };
    }
    case 'logs': {
      const { height, certified, scopeCount, scopesBase } = answer;
      const scopes = answer.scopes.map(({ scope, id }) => ({ scope: SCOPE_KINDS[scope], id: hashBytes(id) }));
      return {
        logs: {
          height: toLong(height),
          certified: certified === null ? EMPTY : encodeCertified(certified),
          scopeCount: toLong(scopeCount),
          scopesBase: toLong(scopesBase),
          scopes,
          logs: answer.logs.map(logToWire),
          quiet: answer.quiet ?? EMPTY,
        },
      };
    }
    case 'addresses': {
      const peers = answer.peers.map(({ member, peer, addresses }) => ({
        member,
        peerId: peer,
        addresses: [...addresses],
      }));
      return { addresses: { peers } };
    }
    case 'verdicts': {
      const verdicts = answer.verdicts.map(verdict =>
        verdict === null ? { accepted: true } : { code: verdict.reject, detail: verdict.detail },
      );
      return { verdicts: { verdicts } };
    }
    case 'statuses': {
      const codes = { unknown: 0, pending: 1, block: 2 };
      const statuses = answer.statuses.map(entry => ({
        status: codes[entry.status],
        receipt: entry.status === 'block' ? encodeReceipt(entry.receipt) : EMPTY,
      }));
      return { statuses: { statuses } };
    }
    case 'fresh':
      return { fresh: encodeFreshHead(answer.statement) };
  }
}

function headOf(wire: phaseline.LightHead.$Properties): LightAnswer | Reject {
  const changes = listOf(wire.changes, LIGHT_ANSWER_LIMITS.setChangesPerAnswer, changeOf);
  if (isReject(changes)) return changes;
  const certified = certifiedOf(wire.certified);
  if (isReject(certified)) return certified;
  const conflicting = certifiedOf(wire.conflicting);
  return isReject(conflicting) ? conflicting : { kind: 'head', changes, certified, conflicting };
}

function answerOf(wire: phaseline.LightAnswer.$Properties): LightAnswer | Reject {
  if (wire.head) return headOf(wire.head);
  if (wire.logs) return logsOf(wire.logs);
  if (wire.addresses) {
    const peers = listOf(wire.addresses.peers, LIGHT_ANSWER_LIMITS.peersPerAnswer, peerOf);
    return isReject(peers) ? peers : { kind: 'addresses', peers };
  }
  if (wire.verdicts) {
    const verdicts = listOf(wire.verdicts.verdicts, LIGHT_WIRE_LIMITS.transactionsPerSubmit, verdictOf);
    if (isReject(verdicts)) return verdicts;
    return { kind: 'verdicts', verdicts: verdicts.map(({ verdict }) => verdict) };
  }
  if (wire.statuses) {
    const statuses = listOf(wire.statuses.statuses, LIGHT_WIRE_LIMITS.idsPerQuery, statusOf);
    return isReject(statuses) ? statuses : { kind: 'statuses', statuses };
  }
  if (isEmpty(wire.fresh)) return undecodable('an answer of no known kind');
  const statement = decodeFreshHead(ownBytes(wire.fresh));
  return isReject(statement) ? statement : { kind: 'fresh', statement };
}

export const lightAnswerCodec = wireCodec<phaseline.LightAnswer.$Properties, LightAnswer>(
  'light answer',
  phaseline.LightAnswer,
  answerToWire,
  answerOf,
);
