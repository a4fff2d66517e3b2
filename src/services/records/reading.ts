import { fromHex } from '../../core/base/bytes.ts';
import type { LogId, MemberId, PhaseId, TransactionId, UserId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { userIdBytes } from '../../core/codec/member.ts';
import { decodeRecordMeta } from '../../core/codec/operation.ts';
import { findMember } from '../../core/ledger/read.ts';
import { checkAuthorship } from '../../core/light/authorship.ts';
import { fieldsRoot } from '../../core/light/fields.ts';
import { type LocatedRecord, locateRecord } from '../../core/light/record.ts';
import type { FileReference, RecordMeta } from '../../core/types/operation.ts';
import type { Part } from '../../core/types/transaction.ts';
import { type Context, phaseLog } from './context.ts';
import { decodePayload, payloadFields, type RecordContent } from './payload.ts';
import type { LogItem } from './ports.ts';
import type { RecordPlace } from './record-index.ts';
import { typeFault } from './record-types.ts';
import { short } from './refusal.ts';

export interface RecordCheck {
  readonly name: 'authorship' | 'metadata' | 'epoch key' | 'content key' | 'payload' | 'fields' | 'user';
  readonly ok: boolean;
  readonly detail: string;
}

/** Who signed for a member. */
export interface SigningUser {
  readonly id: UserId;
  /** As the payload says it and the id proves it; null where it does not open, or says none. */
  readonly name: string | null;
}

/** One handover of a record, and where the record stood before. */
export interface RecordOrigin {
  readonly phase: PhaseId;
  /** In that phase's log: of the record, or of the handover that had brought it there. */
  readonly position: number;
  readonly handedOverBy: MemberId;
  /** The handover's transaction, its block and time. */
  readonly handover: TransactionId;
  readonly handoverHeight: number;
  readonly handoverTimeMs: number;
}

export interface RecordView {
  readonly phase: PhaseId;
  readonly id: TransactionId;
  /** Position in this phase's log: of the record, or of the handover that brought it. */
  readonly position: number;
  /** Block and time in which the record was written, in whichever phase that was. */
  readonly height: number;
  readonly timeMs: number;
  readonly author: MemberId;
  readonly keyId: number;
  /** Whose key it is, where it is not the member's own. */
  readonly user: SigningUser | null;
  /** Epoch of this phase under which the content key is wrapped. */
  readonly epoch: number;
  readonly references: readonly TransactionId[];
  /** What the chain itself shows of the files. */
  readonly fileReferences: readonly FileReference[];
  /** The handover that brought the record into this phase; null for one that was written here. */
  readonly origin: RecordOrigin | null;
  /** Every handover since the record was written, oldest first; `origin` is the last. */
  readonly origins: readonly RecordOrigin[];
  /** Null exactly when `unreadable` says why. */
  readonly content: RecordContent | null;
  readonly unreadable: string | null;
  /** Why it does not follow the types that the phase has now; null when it does, or cannot be read. */
  readonly typeFault: string | null;
  /** False when any of `checks` failed. The leaf itself is proven by the light client. */
  readonly verified: boolean;
  readonly checks: readonly RecordCheck[];
}

/** Every handover so far, oldest first, with the place that the record had in the phase which handed it over. */
function originsOf({ leaf, handed }: LocatedRecord): RecordOrigin[] {
  const steps = handed?.steps ?? [];
  return steps.map((step, index) => ({
    phase: step.source,
    position: index === 0 ? leaf.position : steps[index - 1]!.position,
    handedOverBy: step.sender,
    handover: step.handover,
    handoverHeight: step.height,
    handoverTimeMs: step.timeMs,
  }));
}

/** The content key for the phase that is read: the record's own, or the one that came with the handover. */
function wrappedKeyOf({ handed }: LocatedRecord, meta: RecordMeta): Pick<RecordMeta, 'epoch' | 'wrappedKey'> {
  return handed === null ? meta : { epoch: handed.target.epoch, wrappedKey: handed.item.wrappedKey };
}

/** What can be read of a record, check by check; the first that fails ends the reading. */
interface Reading {
  readonly checks: RecordCheck[];
  meta: RecordMeta | null;
  contentKey: Uint8Array | null;
  content: RecordContent | null;
  userName: string | null;
}

function note(reading: Reading, name: RecordCheck['name'], ok: boolean, detail: string): boolean {
  reading.checks.push({ name, ok, detail });
  return ok;
}

async function openContentKey(
  context: Context,
  phase: PhaseId,
  source: LocatedRecord,
  reading: Reading,
): Promise<boolean> {
  const meta = reading.meta!;
  const { epoch, wrappedKey } = wrappedKeyOf(source, meta);
  const keys = context.vault.keys(phase, epoch);
  if (keys === null) {
    return note(
      reading,
      'epoch key',
      false,
      `the secret of epoch ${epoch} was not given to ${context.member}`,
    );
  }
  note(reading, 'epoch key', true, `epoch ${epoch}`);
  const { keyCommitment } = meta;
  const wrap = { chainId: context.access.chainId, phase, epoch, keyCommitment };
  reading.contentKey = await context.crypto.unwrapContentKey(keys, wrap, wrappedKey);
  const detail =
    reading.contentKey === null ? 'it does not unwrap to the committed key' : 'it is the committed one';
  return note(reading, 'content key', reading.contentKey !== null, detail);
}

function openContent(
  context: Context,
  source: LocatedRecord,
  payload: Part | null,
  reading: Reading,
): boolean {
  if (payload === null) return note(reading, 'payload', false, 'it was deleted');
  const { epoch, keyCommitment, files } = reading.meta!;
  const logId = source.transaction.body.scopes[0] as LogId;
  const plaintext = context.crypto.openPayload(
    reading.contentKey!,
    { logId, epoch, keyCommitment },
    payload.content,
  );
  if (plaintext === null) return note(reading, 'payload', false, 'it does not decrypt');
  reading.content = decodePayload(plaintext, files);
  const detail = reading.content === null ? 'its content is malformed' : 'it decrypts';
  if (!note(reading, 'payload', reading.content !== null, detail)) return false;
  const salts = context.crypto.fieldSalts(reading.contentKey!);
  const root = fieldsRoot(context.suite.sha256, payloadFields(reading.content!), salts);
  const same = root === reading.meta!.fieldsRoot;
  note(reading, 'fields', same, same ? 'as committed to' : 'it commits to other fields than it has');
  return same && checkUser(context, source, reading);
}

function userOf({ access }: Context, { transaction }: LocatedRecord): UserId | null {
  const { sender, keyId } = transaction.body;
  return findMember(access.system(), sender)?.keys[keyId]?.user ?? null;
}

/** The name that a payload gives its signer is the one that the chain has a hash of. */
function checkUser(context: Context, source: LocatedRecord, reading: Reading): boolean {
  const named = reading.content?.user;
  if (named === undefined) return true;
  const { sender } = source.transaction.body;
  const id = context.suite.sha256(userIdBytes(sender, named.name, fromHex(named.salt)!));
  const same = id === userOf(context, source);
  reading.userName = same ? named.name : null;
  return note(reading, 'user', same, same ? `signed by ${named.name}` : 'signed by another than it says');
}

async function read(context: Context, phase: PhaseId, source: LocatedRecord): Promise<Reading> {
  const { leaf, transaction } = source;
  const reading: Reading = { checks: [], meta: null, contentKey: null, content: null, userName: null };
  const fault = checkAuthorship(context.suite, context.access.system(), leaf, transaction);
  const { sender, keyId } = transaction.body;
  note(reading, 'authorship', fault === null, fault?.detail ?? `signed by key ${keyId} of ${sender}`);
  const [metaPart, payloadPart] = transaction.signed.parts;
  const meta = metaPart ? decodeRecordMeta(metaPart.content) : null;
  if (meta === null || isReject(meta)) {
    note(reading, 'metadata', false, meta === null ? 'it is missing' : meta.detail);
    return reading;
  }
  reading.meta = meta;
  note(reading, 'metadata', true, `${meta.files.length} files, ${meta.references.length} references`);
  if (await openContentKey(context, phase, source, reading)) {
    openContent(context, source, payloadPart ?? null, reading);
  }
  return reading;
}

/** The held leaf at a record's place, and the record that it is or brings. */
async function findSource(
  context: Context,
  phase: PhaseId,
  place: RecordPlace,
): Promise<{ readonly found: LogItem; readonly source: LocatedRecord } | null> {
  const [found] = await context.access.items(phaseLog(context, phase), place.position, place.position + 1);
  if (found === undefined) return null;
  const source = locateRecord(context.suite.sha256, found, place.item);
  return isReject(source) ? null : { found, source };
}

/** A record as far as this member can read it; null when its leaf is no longer held. */
export async function readRecord(
  context: Context,
  phase: PhaseId,
  place: RecordPlace,
): Promise<RecordView | null> {
  const located = await findSource(context, phase, place);
  if (located === null) return null;
  const { source } = located;
  const reading = await read(context, phase, source);
  const failed = reading.checks.filter(check => !check.ok);
  const { leaf, transaction } = source;
  const opened = reading.content !== null;
  const fault = failed.find(check => check.name !== 'authorship');
  const origins = originsOf(source);
  const user = userOf(context, source);
  return {
    phase,
    id: place.id,
    position: place.position,
    height: leaf.height,
    timeMs: leaf.timeMs,
    author: transaction.body.sender,
    keyId: transaction.body.keyId,
    user: user === null ? null : { id: user, name: reading.userName },
    epoch: source.handed?.target.epoch ?? reading.meta?.epoch ?? 0,
    references: reading.meta?.references ?? [],
    fileReferences: reading.meta?.files ?? [],
    origin: origins.at(-1) ?? null,
    origins,
    content: reading.content,
    typeFault:
      reading.content === null
        ? null
        : typeFault(context.cards.phase(phase)?.card.recordTypes ?? [], reading.content),
    unreadable: opened ? null : `record ${short(place.id)}: ${fault?.name}: ${fault?.detail}`,
    verified: failed.length === 0,
    checks: reading.checks,
  };
}

/** What handing a record over takes. */
export interface OpenedRecord {
  /** The leaf of the phase's log: the record's own, or that of the handover that brought it. */
  readonly found: LogItem;
  readonly source: LocatedRecord;
  readonly meta: RecordMeta;
  readonly contentKey: Uint8Array;
}

/** The signed record and its content key, for handing it over; null when this member cannot open it. */
export async function openForHandover(
  context: Context,
  phase: PhaseId,
  place: RecordPlace,
): Promise<OpenedRecord | null> {
  const located = await findSource(context, phase, place);
  if (located === null) return null;
  const { meta, contentKey } = await read(context, phase, located.source);
  return meta === null || contentKey === null ? null : { ...located, meta, contentKey };
}
