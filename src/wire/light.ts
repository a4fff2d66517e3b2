import { hashBytes, toHex } from '../core/base/bytes.ts';
import {
  type BlockHash,
  type Hash,
  isMemberId,
  type LogId,
  type MemberId,
  type TransactionId,
} from '../core/base/ids.ts';
import { parseLinkAddress } from '../core/base/link-address.ts';
import { isReject, type Reject, reject } from '../core/base/reject.ts';
import { LIMITS } from '../core/types/limits.ts';
import type { Span } from '../core/types/span.ts';
import { fromLong, ownBytes, toLong, wireCodec } from './codec.ts';
import { phaseline } from './generated/messages.js';

export const LIGHT_WIRE_LIMITS = {
  addressesPerPeer: 16,
  addressBytes: 256,
  logsPerQuery: 1024,
  /** One more than the removals that a phase can have. */
  spansPerLog: LIMITS.formerPerPhase + 1,
  membersPerQuery: 256,
  transactionsPerSubmit: 256,
  idsPerQuery: 256,
  nonceBytes: 32,
  /** A bit for each scope that a source can have named (`unverifiedScopesMax` and held ones), and one for the system. */
  quietBytes: 1 << 15,
} as const;

export type LightFrame =
  | { readonly kind: 'hello'; readonly member: MemberId; readonly addresses: readonly string[] }
  | { readonly kind: 'notice'; readonly height: number };

export interface LogQuery {
  readonly logId: LogId;
  /** What the asker holds: ascending, with gaps between. */
  readonly held: readonly Span[];
  /** Digest of the state that the asker has; null when it has none. */
  readonly digest: Hash | null;
  /** The last leaf that the asker holds is its removal. */
  readonly ended: boolean;
}

/** Logs that the asker holds complete at a height of whose map it keeps a view: it wants to know which of them changed. */
export interface QuietLogs {
  readonly height: number;
  /** Bit 0: the system log; bit i + 1: that of the i-th scope that the source has named. Most significant bit first. */
  readonly held: Uint8Array;
  /** Likewise, those that end with this member's removal. */
  readonly ended: Uint8Array;
}

export interface LogsQuery {
  readonly knownHeight: number;
  /** Index of the first of the asker's scopes that it wants to be told. */
  readonly scopesFrom: number;
  readonly logs: readonly LogQuery[];
  readonly quiet?: QuietLogs;
}

export interface HeadQuery {
  readonly kind: 'head';
  readonly knownHeight: number;
  /** Of the block that the asker knows at that height, to be compared with the source's; null for no comparison. */
  readonly knownHash: BlockHash | null;
}

export type LightRequest =
  | HeadQuery
  | ({ readonly kind: 'logs' } & LogsQuery)
  | { readonly kind: 'addresses'; readonly members: readonly MemberId[] }
  | { readonly kind: 'submit'; readonly transactions: readonly Uint8Array[] }
  | { readonly kind: 'status'; readonly ids: readonly TransactionId[] }
  | { readonly kind: 'fresh'; readonly nonce: Uint8Array };

const undecodable = (what: string) => reject('undecodable', `light: ${what}`);

export function hashOf(bytes: Uint8Array | null | undefined): Hash | null {
  return bytes?.length === 32 ? (toHex(bytes) as Hash) : null;
}

/** Maps a bounded list; the first fault ends it. */
export function listOf<Wire, T>(
  list: readonly Wire[] | null | undefined,
  countMax: number,
  read: (wire: Wire) => T | Reject,
): T[] | Reject {
  const values: T[] = [];
  if ((list?.length ?? 0) > countMax) return undecodable(`a list of ${list?.length}, at most ${countMax}`);
  for (const wire of list ?? []) {
    const value = read(wire);
    if (isReject(value)) return value;
    values.push(value);
  }
  return values;
}

/** Asking for one thing many times in one request is no use to the asker, and work for the asked. */
function isRepeated(names: readonly string[]): boolean {
  return new Set(names).size !== names.length;
}

export function hashesOf(list: readonly Uint8Array[] | null | undefined, countMax: number): Hash[] | Reject {
  return listOf(list, countMax, bytes => hashOf(bytes) ?? undecodable('a hash is not 32 bytes'));
}

/** Others will dial these: no free text. */
export function addressesOf(list: readonly string[] | null | undefined): string[] | Reject {
  const { addressesPerPeer, addressBytes } = LIGHT_WIRE_LIMITS;
  return listOf(list, addressesPerPeer, text =>
    text.length <= addressBytes && parseLinkAddress(text) !== null
      ? text
      : undecodable('an address that is none of a peer'),
  );
}

function memberOf(text: string | null | undefined): MemberId | Reject {
  return isMemberId(text) ? text : undecodable('not a member id');
}

function helloOf(wire: phaseline.LightHello.$Properties): LightFrame | Reject {
  const member = memberOf(wire.member);
  const addresses = addressesOf(wire.addresses);
  if (isReject(member)) return member;
  return isReject(addresses) ? addresses : { kind: 'hello', member, addresses };
}

export const lightFrameCodec = wireCodec<phaseline.LightFrame.$Properties, LightFrame>(
  'light frame',
  phaseline.LightFrame,
  frame =>
    frame.kind === 'hello'
      ? { hello: { member: frame.member, addresses: [...frame.addresses] } }
      : { notice: { height: toLong(frame.height) } },
  wire => {
    if (wire.hello) return helloOf(wire.hello);
    if (!wire.notice) return undecodable('an empty frame');
    const height = fromLong(wire.notice.height);
    return height === null ? undecodable('height above 2^53 - 1') : { kind: 'notice', height };
  },
);

function spanOf(wire: phaseline.LightSpan.$Properties): Span | Reject {
  const from = fromLong(wire.from);
  const to = fromLong(wire.to);
  return from === null || to === null || from >= to ? undecodable('an empty span') : { from, to };
}

function logQueryOf(wire: phaseline.LightLogQuery.$Properties): LogQuery | Reject {
  const logId = hashOf(wire.logId);
  const digest = hashOf(wire.digest);
  const badDigest = digest === null && (wire.digest?.length ?? 0) > 0;
  if (logId === null || badDigest) return undecodable('a log query');
  const held = listOf(wire.held, LIGHT_WIRE_LIMITS.spansPerLog, spanOf);
  if (isReject(held)) return held;
  if (held.some((span, index) => index > 0 && held[index - 1]!.to >= span.from)) {
    return undecodable('spans that touch or are out of order');
  }
  return { logId: logId as LogId, held, digest, ended: wire.ended ?? false };
}

function quietOf(wire: phaseline.LightQuiet.$Properties): QuietLogs | Reject {
  const height = fromLong(wire.height);
  const held = ownBytes(wire.held);
  const ended = ownBytes(wire.ended);
  const isLong = Math.max(held.length, ended.length) > LIGHT_WIRE_LIMITS.quietBytes;
  return height === null || isLong ? undecodable('quiet logs') : { height, held, ended };
}

function logsQueryOf(wire: phaseline.LightLogsQuery.$Properties): LightRequest | Reject {
  const logs = listOf(wire.logs, LIGHT_WIRE_LIMITS.logsPerQuery, logQueryOf);
  const knownHeight = fromLong(wire.knownHeight);
  const scopesFrom = fromLong(wire.scopesFrom);
  if (isReject(logs)) return logs;
  if (isRepeated(logs.map(log => log.logId))) return undecodable('a log stands twice');
  if (knownHeight === null || scopesFrom === null) return undecodable('a number above 2^53 - 1');
  if (!wire.quiet) return { kind: 'logs', knownHeight, scopesFrom, logs };
  const quiet = quietOf(wire.quiet);
  return isReject(quiet) ? quiet : { kind: 'logs', knownHeight, scopesFrom, logs, quiet };
}

function requestToWire(request: LightRequest): phaseline.LightRequest.$Properties {
  switch (request.kind) {
    case 'head':
      return {
        head: {
          knownHeight: toLong(request.knownHeight),
          knownHash: request.knownHash === null ? new Uint8Array(0) : hashBytes(request.knownHash),
        },
      };
    case 'addresses':
      return { addresses: { members: [...request.members] } };
    case 'submit':
      return { submit: { transactions: [...request.transactions] } };
    case 'status':
      return { status: { ids: request.ids.map(hashBytes) } };
    case 'fresh':
      return { fresh: { nonce: request.nonce } };
    case 'logs': {
      const logs = request.logs.map(({ logId, held, digest, ended }) => ({
        logId: hashBytes(logId),
        held: held.map(span => ({ from: toLong(span.from), to: toLong(span.to) })),
        digest: digest === null ? new Uint8Array(0) : hashBytes(digest),
        ended,
      }));
      const { knownHeight, scopesFrom, quiet } = request;
      const told = quiet === undefined ? {} : { quiet: { ...quiet, height: toLong(quiet.height) } };
      return { logs: { knownHeight: toLong(knownHeight), scopesFrom: toLong(scopesFrom), logs, ...told } };
    }
  }
}

function requestOf(wire: phaseline.LightRequest.$Properties): LightRequest | Reject {
  const { membersPerQuery, transactionsPerSubmit, idsPerQuery, nonceBytes } = LIGHT_WIRE_LIMITS;
  if (wire.head) {
    const knownHeight = fromLong(wire.head.knownHeight);
    const knownHash = hashOf(wire.head.knownHash) as BlockHash | null;
    if (knownHash === null && (wire.head.knownHash?.length ?? 0) > 0) return undecodable('a block hash');
    return knownHeight === null
      ? undecodable('height above 2^53 - 1')
      : { kind: 'head', knownHeight, knownHash };
  }
  if (wire.logs) return logsQueryOf(wire.logs);
  if (wire.addresses) {
    const members = listOf(wire.addresses.members, membersPerQuery, memberOf);
    return isReject(members) ? members : { kind: 'addresses', members };
  }
  if (wire.submit) {
    const transactions = listOf(wire.submit.transactions, transactionsPerSubmit, ownBytes);
    return isReject(transactions) ? transactions : { kind: 'submit', transactions };
  }
  if (wire.status) {
    const ids = hashesOf(wire.status.ids, idsPerQuery);
    if (isReject(ids)) return ids;
    return isRepeated(ids) ? undecodable('an id stands twice') : { kind: 'status', ids };
  }
  const nonce = wire.fresh?.nonce;
  if (nonce?.length !== nonceBytes) return undecodable('a request of no known kind');
  return { kind: 'fresh', nonce: ownBytes(nonce) };
}

export const lightRequestCodec = wireCodec<phaseline.LightRequest.$Properties, LightRequest>(
  'light request',
  phaseline.LightRequest,
  requestToWire,
  requestOf,
);
