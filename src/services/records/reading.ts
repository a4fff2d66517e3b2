import type { LogId, MemberId, PhaseId, TransactionId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { decodePhaseHandoverTarget, decodeRecordMeta } from '../../core/codec/operation.ts';
import {
  bodyId,
  decodeBody,
  decodeLeaf,
  encodeSignedTransaction,
  partHash,
  wrapperHash,
} from '../../core/codec/transaction.ts';
import { checkAuthorship } from '../../core/light/authorship.ts';
import type { FileReference, HandoverItem, RecordMeta, WrappedKey } from '../../core/types/operation.ts';
import type { Leaf, Part, Transaction } from '../../core/types/transaction.ts';
import { type Context, phaseLog } from './context.ts';
import { decodePayload, type RecordContent } from './payload.ts';
import type { LogItem } from './ports.ts';
import type { RecordPlace } from './record-index.ts';
import { short } from './refusal.ts';

export interface RecordCheck {
  readonly name: 'authorship' | 'metadata' | 'epoch key' | 'content key' | 'payload';
  readonly ok: boolean;
  readonly detail: string;
}

/** The handover that brought a record, and where the record was written. */
export interface RecordOrigin {
  readonly phase: PhaseId;
  readonly position: number;
  readonly handedOverBy: MemberId;
  /** The handover's transaction and its time in this phase. */
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
  /** Epoch of this phase under which the content key is wrapped. */
  readonly epoch: number;
  readonly references: readonly TransactionId[];
  /** What the chain itself shows of the files. */
  readonly fileReferences: readonly FileReference[];
  readonly origin: RecordOrigin | null;
  /** Null exactly when `unreadable` says why. */
  readonly content: RecordContent | null;
  readonly unreadable: string | null;
  /** False when any of `checks` failed. The leaf itself is proven by the light client. */
  readonly verified: boolean;
  readonly checks: readonly RecordCheck[];
}

/** A record as its author signed it, wherever it was found. */
interface Source {
  readonly place: RecordPlace;
  readonly leaf: Leaf;
  readonly transaction: Transaction;
  readonly origin: RecordOrigin | null;
  /** The content key for the phase that is read, where it is not the record's own. */
  readonly carried: { readonly epoch: number; readonly wrappedKey: WrappedKey } | null;
}

/** The original transaction of a handed over record; null when its parts are not those that its body commits to. */
export function originalTransaction({ suite }: Context, item: HandoverItem): Transaction | null {
  const body = decodeBody(item.body);
  if (isReject(body)) return null;
  const parts = [item.meta, item.payload];
  const matches = parts.every((part, index) => body.parts[index]?.hash === partHash(suite.sha256, part));
  if (!matches || body.parts.length !== parts.length) return null;
  const signed = { body: item.body, parts, signature: item.signature, batch: item.batch };
  return {
    id: bodyId(suite.sha256, item.body),
    wrapperHash: wrapperHash(suite.sha256, signed),
    body,
    signed,
    bytes: encodeSignedTransaction(signed).length,
  };
}

function carriedSource(context: Context, place: RecordPlace, found: LogItem): Source | null {
  const content = found.transaction.signed.parts[1]?.content;
  const target = content === undefined ? null : decodePhaseHandoverTarget(content);
  if (target === null || isReject(target)) return null;
  const item = target.items[place.item ?? 0];
  if (item === undefined) return null;
  const transaction = originalTransaction(context, item);
  const leaf = decodeLeaf(item.leaf);
  if (transaction === null || isReject(leaf)) return null;
  if (leaf.logId !== phaseLog(context, target.source) || transaction.body.scopes[0] !== leaf.logId)
    return null;
  const origin: RecordOrigin = {
    phase: target.source,
    position: leaf.position,
    handedOverBy: found.transaction.body.sender,
    handover: found.transaction.id,
    handoverHeight: found.leaf.height,
    handoverTimeMs: found.leaf.timeMs,
  };
  return { place, leaf, transaction, origin, carried: { epoch: target.epoch, wrappedKey: item.wrappedKey } };
}

/** What can be read of a record, check by check; the first that fails ends the reading. */
interface Reading {
  readonly checks: RecordCheck[];
  meta: RecordMeta | null;
  contentKey: Uint8Array | null;
  content: RecordContent | null;
}

function note(reading: Reading, name: RecordCheck['name'], ok: boolean, detail: string): boolean {
  reading.checks.push({ name, ok, detail });
  return ok;
}

async function openContentKey(
  context: Context,
  phase: PhaseId,
  source: Source,
  reading: Reading,
): Promise<boolean> {
  const meta = reading.meta!;
  const { epoch, wrappedKey } = source.carried ?? meta;
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

function openContent(context: Context, source: Source, payload: Part | null, reading: Reading): boolean {
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
  return note(reading, 'payload', reading.content !== null, detail);
}

async function read(context: Context, phase: PhaseId, source: Source): Promise<Reading> {
  const { leaf, transaction } = source;
  const reading: Reading = { checks: [], meta: null, contentKey: null, content: null };
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

async function findSource(context: Context, phase: PhaseId, place: RecordPlace): Promise<Source | null> {
  const [found] = await context.access.items(phaseLog(context, phase), place.position, place.position + 1);
  if (found === undefined) return null;
  if (place.item !== null) return carriedSource(context, place, found);
  return { place, leaf: found.leaf, transaction: found.transaction, origin: null, carried: null };
}

/** A record as far as this member can read it; null when its leaf is no longer held. */
export async function readRecord(
  context: Context,
  phase: PhaseId,
  place: RecordPlace,
): Promise<RecordView | null> {
  const source = await findSource(context, phase, place);
  if (source === null) return null;
  const reading = await read(context, phase, source);
  const failed = reading.checks.filter(check => !check.ok);
  const { leaf, transaction } = source;
  const opened = reading.content !== null;
  const fault = failed.find(check => check.name !== 'authorship');
  return {
    phase,
    id: place.id,
    position: place.position,
    height: leaf.height,
    timeMs: leaf.timeMs,
    author: transaction.body.sender,
    keyId: transaction.body.keyId,
    epoch: source.carried?.epoch ?? reading.meta?.epoch ?? 0,
    references: reading.meta?.references ?? [],
    fileReferences: reading.meta?.files ?? [],
    origin: source.origin,
    content: reading.content,
    unreadable: opened ? null : `record ${short(place.id)}: ${fault?.name}: ${fault?.detail}`,
    verified: failed.length === 0,
    checks: reading.checks,
  };
}

/** The signed record and its content key, for handing it over; null when this member cannot open it. */
export async function openForHandover(
  context: Context,
  phase: PhaseId,
  place: RecordPlace,
): Promise<{ item: LogItem; meta: RecordMeta; contentKey: Uint8Array } | null> {
  const source = place.item === null ? await findSource(context, phase, place) : null;
  if (source === null) return null;
  const { meta, contentKey } = await read(context, phase, source);
  if (meta === null || contentKey === null) return null;
  return { item: { leaf: source.leaf, transaction: source.transaction }, meta, contentKey };
}
