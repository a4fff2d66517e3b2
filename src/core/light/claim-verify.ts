import type { ScopeValue } from '../access/apply.ts';
import { RULES } from '../access/rules.ts';
import { toHex } from '../base/bytes.ts';
import type { Hash, LogId } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { isoTime } from '../base/time.ts';
import { decodeCardCiphertext, decodePhaseCard } from '../codec/card.ts';
import { kindName } from '../codec/operation.ts';
import { decodePhaseState } from '../codec/state.ts';
import { bodyId, logIdOf } from '../codec/transaction.ts';
import { foldLeaf } from '../ledger/fold.ts';
import { findMember } from '../ledger/read.ts';
import { verifyConsistency } from '../merkle/log.ts';
import { KINDS, roleNames } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { PhaseState } from '../types/state.ts';
import type { Transaction } from '../types/transaction.ts';
import { isValidAt } from './authorship.ts';
import type { Claim } from './claims.ts';
import type { RecordPlace } from './dossier.ts';
import { findSource } from './dossier-records.ts';
import { checkProvenEntry, type Evidence, reachesEnd, type VerifiedRange } from './evidence.ts';
import { checkLogAbsent, type VerifiedItem } from './log-update.ts';
import { readHandover } from './record.ts';

type ClaimOf<T extends Claim['type']> = Extract<Claim, { type: T }>;

const short = (hash: Hash) => hash.slice(0, 8);

function rangeOf({ logs }: Evidence, logId: LogId): VerifiedRange | Reject {
  return logs.get(logId) ?? reject('unknown_log', 'its log is not in the file or does not verify');
}

const byLogId = (logId: LogId) => `log ${short(logId)}`;

/** `12`, or `12, item 3` of a handover. */
export function placeName({ position, item }: RecordPlace): string {
  return item === null ? String(position) : `${position}, item ${item}`;
}

/** In words, before it is checked. @param nameOf what a log is called where its scope is known */
export function claimName(claim: Claim, nameOf: (logId: LogId) => string = byLogId): string {
  switch (claim.type) {
    case 'record':
      return `record at ${placeName(claim.place)} of ${nameOf(claim.place.logId)}`;
    case 'range':
      return `all leaves of ${nameOf(claim.logId)} by ${claim.unit} from ${claim.from} to below ${claim.to}`;
    case 'noRecord':
      return `no record ${short(claim.id)} in ${nameOf(claim.logId)}`;
    case 'noLog':
      return `no ${claim.ref.scope} ${short(claim.ref.id)}`;
    case 'consistency':
      return `successor of height ${claim.earlier.header.height}`;
    case 'participants':
      return `participants of ${nameOf(claim.logId)} at height ${claim.height}`;
    case 'epoch':
      return `key epoch of ${nameOf(claim.logId)} at height ${claim.height}`;
    case 'memberKey':
      return `keys of ${claim.member} at height ${claim.height}`;
    case 'card':
      return `name of the phase of ${nameOf(claim.logId)}`;
  }
}

/** The member, and where a key of one of its users signed, whose: the chain has no name of it. */
function authorText({ members }: Evidence, { body }: Transaction): string {
  const user = findMember(members, body.sender)?.keys[body.keyId]?.user ?? null;
  return user === null ? body.sender : `${body.sender} (user ${short(user)})`;
}

function checkRecordClaim(evidence: Evidence, { place }: ClaimOf<'record'>): string | Reject {
  const source = findSource(evidence, place);
  if (isReject(source)) return source;
  const { leaf, transaction } = source;
  const committed = transaction.body.kind === KINDS.recordPut && leaf.outcome === OUTCOMES.committed;
  if (!committed) return reject('not_a_record', `leaf ${leaf.position}`);
  const at = `height ${leaf.height}, ${isoTime(leaf.timeMs)}`;
  return `${transaction.id}, written by ${authorText(evidence, transaction)} at ${at}`;
}

const MEASURES = {
  position: ({ leaf }: VerifiedItem) => leaf.position,
  height: ({ leaf }: VerifiedItem) => leaf.height,
  time: ({ leaf }: VerifiedItem) => leaf.timeMs,
} as const;

/** Heights and times never go down along a log, so a leaf outside on each side, or the log's end, closes a range. */
function checkRangeClaim(evidence: Evidence, claim: ClaimOf<'range'>): string | Reject {
  const range = rangeOf(evidence, claim.logId);
  if (isReject(range)) return range;
  const measure = MEASURES[claim.unit];
  const [first, last] = [range.items[0], range.items.at(-1)];
  const byPosition = claim.unit === 'position';
  const open = range.from === 0 || (first !== undefined && measure(first) < claim.from);
  const begins = open || (byPosition && range.from <= claim.from);
  const closed = reachesEnd(range) || (last !== undefined && measure(last) >= claim.to);
  const ends = closed || (byPosition && range.from + range.items.length >= claim.to);
  if (!begins) return reject('withheld', 'leaves may be missing at its beginning');
  if (!ends) return reject('withheld', 'leaves may be missing at its end');
  const inside = range.items.filter(item => measure(item) >= claim.from && measure(item) < claim.to);
  const records = inside.filter(({ transaction }) => transaction.body.kind === KINDS.recordPut).length;
  return `${inside.length} leaves, ${records} of them records; none is missing as of height ${evidence.header.height}`;
}

/** Ids of what a leaf brings: its own, and those of the records that it hands over to this log. */
function idsOf(evidence: Evidence, { leaf, transaction }: VerifiedItem): Hash[] | Reject {
  const { kind, scopes } = transaction.body;
  const received = kind === KINDS.phaseHandover && scopes[1] === leaf.logId;
  if (!received || leaf.outcome !== OUTCOMES.committed) return [transaction.id];
  const handover = readHandover({ leaf, transaction });
  if (isReject(handover)) return handover;
  return [transaction.id, ...handover.items.map(item => bodyId(evidence.suite.sha256, item.body))];
}

function checkNoRecord(evidence: Evidence, claim: ClaimOf<'noRecord'>): string | Reject {
  const range = rangeOf(evidence, claim.logId);
  if (isReject(range)) return range;
  if (range.from > 0 || !reachesEnd(range))
    return reject('withheld', 'the file has not every leaf of the log');
  for (const item of range.items) {
    const ids = idsOf(evidence, item);
    if (isReject(ids)) return ids;
    if (ids.includes(claim.id)) return reject('there_it_is', `leaf ${item.leaf.position} has it`);
  }
  return `none of all ${range.items.length} leaves as of height ${evidence.header.height}`;
}

function checkNoLog({ suite, header }: Evidence, { ref, proof }: ClaimOf<'noLog'>): string | Reject {
  const logId = logIdOf(suite.sha256, header.chainId, ref.scope, ref.id);
  return checkLogAbsent(suite.sha256, header, logId, proof) ?? `not in the map of height ${header.height}`;
}

function checkConsistency(evidence: Evidence, claim: ClaimOf<'consistency'>): string | Reject {
  const { suite, header } = evidence;
  const { sha256 } = suite;
  const earlier = claim.earlier.header;
  if (earlier.height > header.height) return reject('stale_head', 'the earlier head is the later one');
  const trust = evidence.trustAt(claim.earlier);
  if (isReject(trust)) return trust;
  const grown: string[] = [];
  for (const log of claim.logs) {
    const logId = logIdOf(sha256, header.chainId, log.scope, log.id);
    const range = rangeOf(evidence, logId);
    const fault = isReject(range) ? range : checkProvenEntry(sha256, earlier, logId, log);
    if (isReject(range)) return range;
    if (fault !== null) return fault;
    const [first, second] = [log.entry, range.entry];
    const proof = { first: first.size, firstRoot: first.root, second: second.size, secondRoot: second.root };
    if (!verifyConsistency(sha256, { ...proof, path: log.path })) {
      return reject('bad_consistency', `log ${log.scope} ${short(log.id)} does not go on from what it was`);
    }
    grown.push(`log ${log.scope} ${short(log.id)} went on from ${first.size} to ${second.size} leaves`);
  }
  return grown.join('; ') || 'certified by the validators of its time';
}

/** The state of a phase after its leaves up to a height, folded from the first one. */
function stateAt(range: VerifiedRange, height: number): PhaseState | Reject {
  let value: ScopeValue | Reject = { scope: 'phase', state: null };
  for (const { leaf, transaction } of range.items) {
    if (leaf.height > height) break;
    const kind = kindName(transaction.body.kind);
    // What changes no state of a phase may be without its parts.
    if (kind === null || RULES[kind].apply.phase === undefined) continue;
    value = foldLeaf(value, leaf, transaction);
    if (isReject(value)) return value;
  }
  const state = value.scope === 'phase' ? value.state : null;
  return state ?? reject('not_there_yet', `the phase did not exist at height ${height}`);
}

function phaseAt(evidence: Evidence, logId: LogId, height: number): PhaseState | Reject {
  const range = rangeOf(evidence, logId);
  if (isReject(range)) return range;
  if (height > evidence.header.height)
    return reject('future_height', `the head is ${evidence.header.height}`);
  const last = range.items.at(-1)?.leaf;
  const passed = last !== undefined && last.height > height;
  if (!passed && !reachesEnd(range)) return reject('withheld', 'leaves may be missing at the end');
  // Nothing came after that height: the certified state is that of the height.
  if (!passed && last !== undefined && range.state !== null) return decodePhaseState(range.state);
  if (range.from > 0) return reject('withheld', 'the leaves before are not in the file');
  return stateAt(range, height);
}

function checkParticipants(evidence: Evidence, claim: ClaimOf<'participants'>): string | Reject {
  const phase = phaseAt(evidence, claim.logId, claim.height);
  if (isReject(phase)) return phase;
  const participants = phase.participants.map(
    ({ member, roles }) => `${member} (${roleNames(roles).join(', ')})`,
  );
  return `${participants.join('; ') || 'nobody'}; owner ${phase.owner}`;
}

function checkEpoch(evidence: Evidence, claim: ClaimOf<'epoch'>): string | Reject {
  const range = rangeOf(evidence, claim.logId);
  if (isReject(range)) return range;
  if (range.state === null) return reject('no_state', 'the state of the phase is not in the file');
  if (claim.height > evidence.header.height)
    return reject('future_height', `the head is ${evidence.header.height}`);
  const phase = decodePhaseState(range.state);
  if (isReject(phase)) return phase;
  const epoch = phase.epochs.findLast(({ height }) => height <= claim.height);
  if (epoch === undefined)
    return reject('not_there_yet', `the phase did not exist at height ${claim.height}`);
  const key = `public key ${toHex(epoch.publicKey)}, commitment ${epoch.commitment}`;
  return `epoch ${epoch.number}, opened at height ${epoch.height}; ${key}`;
}

function checkMemberKey({ members, header }: Evidence, claim: ClaimOf<'memberKey'>): string | Reject {
  const member = findMember(members, claim.member);
  if (member === null) return reject('unknown_member', 'its keys are not in the file');
  if (claim.height > header.height) return reject('future_height', `the head is ${header.height}`);
  const keys = [...member.keys.entries()].filter(([, key]) => isValidAt(key, claim.height));
  const whose = (user: Hash | null) => (user === null ? '' : ` of user ${short(user)}`);
  return (
    keys.map(([id, key]) => `key ${id}${whose(key.user)}: ${toHex(key.signingKey)}`).join('; ') || 'none'
  );
}

/** The card is part of the certified state; its content key is the committed one. */
function checkCard(evidence: Evidence, { logId, contentKey }: ClaimOf<'card'>): string | Reject {
  const range = rangeOf(evidence, logId);
  if (isReject(range)) return range;
  if (range.state === null) return reject('no_state', 'the state of the phase is not in the file');
  if (evidence.openPayload === null) return reject('not_checked', 'this verifier cannot decrypt');
  const phase = decodePhaseState(range.state);
  if (isReject(phase)) return phase;
  const sealed = decodeCardCiphertext(phase.card.bytes);
  if (isReject(sealed)) return sealed;
  const context = { logId, epoch: phase.card.epoch, keyCommitment: sealed.keyCommitment };
  const plaintext = evidence.openPayload(contentKey, context, sealed.payload);
  const card = plaintext === null ? null : decodePhaseCard(plaintext);
  if (card === null) return reject('wrong_key', 'the content key is not the one of the card');
  return `"${card.label}" of project "${card.project}"`;
}

const CHECKS: { [T in Claim['type']]: (evidence: Evidence, claim: ClaimOf<T>) => string | Reject } = {
  record: checkRecordClaim,
  range: checkRangeClaim,
  noRecord: checkNoRecord,
  noLog: checkNoLog,
  consistency: checkConsistency,
  participants: checkParticipants,
  epoch: checkEpoch,
  memberKey: checkMemberKey,
  card: checkCard,
};

/** @returns what the evidence says about it, in words, or why it does not give the claim */
export function checkClaim(evidence: Evidence, claim: Claim): string | Reject {
  return (CHECKS[claim.type] as (evidence: Evidence, claim: Claim) => string | Reject)(evidence, claim);
}
