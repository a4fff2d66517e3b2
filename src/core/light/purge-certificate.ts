import { ownKeyOf } from '../access/member-keys.ts';
import { assertDefined } from '../base/assert.ts';
import { equalBytes, utf8 } from '../base/bytes.ts';
import type { Hash, MemberId, PhaseId, Sha256, Suite } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { decodeFilePurge, decodeFilePurgeAck, decodeFileReceipt } from '../codec/operation.ts';
import { Reader } from '../codec/reader.ts';
import { tagged } from '../codec/tags.ts';
import { logIdOf } from '../codec/transaction.ts';
import { Writer } from '../codec/writer.ts';
import { verifyInclusion } from '../merkle/log.ts';
import { type MapProof, readMapProof, writeMapProof } from '../merkle/map.ts';
import { LIMITS } from '../types/limits.ts';
import { KINDS } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { LogEntry, Member } from '../types/state.ts';
import { checkAuthorship } from './authorship.ts';
import type { Dossier } from './dossier.ts';
import { decodeDossier } from './dossier-codec.ts';
import { type DossierAnchor, type DossierCheck, verifyDossier } from './dossier-verify.ts';
import { readMember } from './evidence.ts';
import { checkLogEntry, readLogItem, type VerifiedItem } from './log-update.ts';

const MAGIC = 'PHLPURG1';
const CHECKSUM_BYTES = 32;
const LEAVES_MAX = 65_536;
const DOSSIER_BYTES_MAX = 1024 * 1024 * 1024;
/** Of a log of 2^53 leaves. */
const PATH_LENGTH_MAX = 53;

/** One leaf of the phase's log, with its transaction and its way to the certified root. */
export interface ProvenLeaf {
  readonly position: number;
  readonly leaf: Uint8Array;
  readonly transaction: Uint8Array;
  readonly path: readonly Hash[];
}

/** That a file was purged: the order, who had signed to hold the file, and whose nodes have signed that it is deleted. */
export interface PurgeCertificate {
  /** A dossier without logs: head, certificates, and the keys of those who signed. */
  readonly dossier: Uint8Array;
  readonly phase: PhaseId;
  readonly cid: string;
  /** The phase's log under the dossier's head. */
  readonly entry: LogEntry;
  readonly mapProof: MapProof;
  readonly order: ProvenLeaf;
  readonly receipts: readonly ProvenLeaf[];
  readonly acks: readonly ProvenLeaf[];
}

export interface PurgeNode {
  /** Peer id. */
  readonly node: string;
  /** Null while the node has not acknowledged. */
  readonly acknowledgedMs: number | null;
  /** True when it keeps the file for a record of another phase. */
  readonly kept: boolean;
}

export interface PurgeHolder {
  readonly member: MemberId;
  /** Of a member that had signed to hold the file: the nodes that its card names at the head, and those that acknowledged. */
  readonly nodes: readonly PurgeNode[];
  /** True when the card is newer than the order: nodes that it named before, and no more, are not among them. */
  readonly cardChanged: boolean;
}

export interface PurgeVerdict {
  /** Every proof holds; what they prove is in `holders`. */
  readonly ok: boolean;
  readonly checks: readonly DossierCheck[];
  /** Null when the order is not proven. */
  readonly purge: {
    readonly phase: PhaseId;
    readonly cid: string;
    readonly by: MemberId;
    readonly reason: string;
    readonly orderedMs: number;
    readonly holders: readonly PurgeHolder[];
    /** True when every node of every holder has acknowledged. */
    readonly complete: boolean;
  } | null;
}

function writeLeaf(writer: Writer, { position, leaf, transaction, path }: ProvenLeaf): void {
  writer.u64(position).bytes(leaf).bytes(transaction);
  writer.list(path, (out, hash) => out.hash(hash));
}

function readLeaf(reader: Reader): ProvenLeaf {
  return {
    position: reader.u64(),
    leaf: reader.bytes(LIMITS.leafBytes),
    transaction: reader.bytes(LIMITS.transactionBytes),
    path: reader.list(PATH_LENGTH_MAX, from => from.hash()),
  };
}

function checksum(sha256: Sha256, body: Uint8Array): Uint8Array {
  return new Writer().hash(sha256(tagged('purgeCertificate', body))).finish();
}

export function buildPurgeCertificate(sha256: Sha256, content: PurgeCertificate): Uint8Array {
  const writer = new Writer().raw(utf8(MAGIC)).bytes(content.dossier).hash(content.phase).text(content.cid);
  writer.u64(content.entry.size).hash(content.entry.root).hash(content.entry.digest);
  writeMapProof(writer, content.mapProof);
  writeLeaf(writer, content.order);
  writer.list(content.receipts, writeLeaf).list(content.acks, writeLeaf);
  const body = writer.finish();
  return new Writer().raw(body).raw(checksum(sha256, body)).finish();
}

/** By its first bytes alone. */
export function isPurgeCertificate(bytes: Uint8Array): boolean {
  const magic = utf8(MAGIC);
  return equalBytes(bytes.subarray(0, magic.length), magic);
}

function decodePurgeCertificate(sha256: Sha256, bytes: Uint8Array): PurgeCertificate | Reject {
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < MAGIC.length || !isPurgeCertificate(bytes)) {
    return reject('not_a_certificate', `the file does not begin with ${MAGIC}`);
  }
  if (!equalBytes(checksum(sha256, bytes.subarray(0, end)), bytes.subarray(end))) {
    return reject('bytes_changed', 'the file is not as it was written');
  }
  const reader = new Reader(bytes.subarray(MAGIC.length, end));
  const content = {
    dossier: reader.bytes(DOSSIER_BYTES_MAX),
    phase: reader.hash() as PhaseId,
    cid: reader.text(LIMITS.cidBytes),
    entry: { size: reader.u64(), root: reader.hash(), digest: reader.hash() },
    mapProof: readMapProof(reader),
    order: readLeaf(reader),
    receipts: reader.list(LEAVES_MAX, readLeaf),
    acks: reader.list(LEAVES_MAX, readLeaf),
  };
  return reader.finish(content, 'certificate of purge');
}

/** What every leaf is checked against: the proven head, the members' keys, and the phase's log. */
interface Ground {
  readonly suite: Suite;
  readonly content: PurgeCertificate;
  readonly dossier: Dossier;
  readonly members: { readonly members: readonly Member[] };
}

function groundOf(suite: Suite, content: PurgeCertificate): Ground | Reject {
  const dossier = decodeDossier(suite.sha256, content.dossier);
  if (isReject(dossier)) return dossier;
  const members: Member[] = [];
  for (const entry of dossier.members?.members ?? []) {
    const member = readMember(entry);
    if (isReject(member)) return member;
    members.push(member);
  }
  members.sort((a, b) => (a.id < b.id ? -1 : 1));
  const logId = logIdOf(suite.sha256, dossier.head.header.chainId, 'phase', content.phase);
  const fault = checkLogEntry(suite.sha256, dossier.head.header, logId, content.entry, content.mapProof);
  return fault ?? { suite, content, dossier, members: { members } };
}

/** The log has exactly this leaf there, its sender signed it, and the ledger took it as a `kind`. */
function checkLeaf(
  { suite, content, dossier, members }: Ground,
  proven: ProvenLeaf,
  kind: number,
): VerifiedItem | Reject {
  const { sha256 } = suite;
  const { position, path } = proven;
  const { header } = dossier.head;
  const logId = logIdOf(sha256, header.chainId, 'phase', content.phase);
  const item = readLogItem(sha256, header, logId, position, proven);
  if (isReject(item)) return item;
  const { size, root } = content.entry;
  if (!verifyInclusion(sha256, { leaf: item.leafHash, index: position, size, path, root })) {
    return reject('bad_inclusion', `leaf ${position} is not in the log`);
  }
  if (item.leaf.outcome !== OUTCOMES.committed) return reject('refused', `leaf ${position} was refused`);
  if (item.transaction.body.kind !== kind)
    return reject('other_kind', `leaf ${position} says something else`);
  return checkAuthorship(suite, members, item.leaf, item.transaction) ?? item;
}

function contentOf<T>(item: VerifiedItem, decode: (bytes: Uint8Array) => T | Reject): T | Reject {
  const part = item.transaction.signed.parts[0] ?? null;
  return part === null ? reject('no_content', `leaf ${item.leaf.position}`) : decode(part.content);
}

/** The sender signed to hold the file. */
function checkReceipt(ground: Ground, proven: ProvenLeaf): MemberId | Reject {
  const item = checkLeaf(ground, proven, KINDS.fileReceipt);
  const content = isReject(item) ? item : contentOf(item, decodeFileReceipt);
  if (isReject(item)) return item;
  if (isReject(content)) return content;
  const names = content.receipts.some(({ cids }) => cids.includes(ground.content.cid));
  return names ? item.transaction.body.sender : reject('other_file', `leaf ${proven.position}`);
}

/** The sender signed that a node of its carried out this very order; the ledger took it only from a node that its card named. */
function checkAck(
  ground: Ground,
  proven: ProvenLeaf,
  order: VerifiedItem,
): (PurgeNode & { readonly member: MemberId }) | Reject {
  const item = checkLeaf(ground, proven, KINDS.filePurgeAck);
  const content = isReject(item) ? item : contentOf(item, decodeFilePurgeAck);
  if (isReject(item)) return item;
  if (isReject(content)) return content;
  const ack = content.acks.find(
    ({ position, cid }) => position === order.leaf.position && cid === ground.content.cid,
  );
  if (ack === undefined) return reject('other_order', `leaf ${proven.position}`);
  const { node } = content;
  return { member: item.transaction.body.sender, node, acknowledgedMs: item.leaf.timeMs, kept: ack.kept };
}

/** What the members' cards say of the nodes that have to acknowledge, and which of them have. */
class Holders {
  private readonly nodes = new Map<MemberId, Map<string, PurgeNode>>();

  constructor(
    private readonly ground: Ground,
    private readonly orderHeight: number,
  ) {}

  /** Every node that the card names has to say so: that one of them deleted its copy says nothing of the others'. */
  hold(member: MemberId): void {
    const card = this.cardOf(member);
    this.nodes.set(
      member,
      new Map(card.peerIds.map(node => [node, { node, acknowledgedMs: null, kept: false }])),
    );
  }

  acknowledge({ member, ...said }: PurgeNode & { readonly member: MemberId }): void {
    const ofMember = this.nodes.get(member) ?? new Map<string, PurgeNode>();
    this.nodes.set(member, ofMember.set(said.node, said));
  }

  list(): PurgeHolder[] {
    return [...this.nodes].map(([member, nodes]) => {
      // every change of a card brings another key, which holds from the block after it
      const cardChanged = ownKeyOf(this.cardOf(member)).key.fromHeight > this.orderHeight;
      return { member, nodes: [...nodes.values()], cardChanged };
    });
  }

  private cardOf(member: MemberId): Member {
    const found = this.ground.members.members.find(({ id }) => id === member);
    return assertDefined(found, 'authorship was checked against the member');
  }
}

/** Who is missing, or null: a holder without any node has said nothing. */
function missing(holders: readonly PurgeHolder[]): string | null {
  const silent = holders.flatMap(({ member, nodes }) => {
    if (nodes.length === 0) return [`${member} (its card names no node)`];
    return nodes.flatMap(({ node, acknowledgedMs }) =>
      acknowledgedMs === null ? [`${member}, node ${node}`] : [],
    );
  });
  return silent.length === 0 ? null : silent.join('; ');
}

/**
 * Verifies a certificate of purge offline, from genesis alone. That no other member had signed to hold the file is not in it: a
 * dossier of the phase shows that. Never throws on a file.
 */
export function verifyPurgeCertificate(suite: Suite, bytes: Uint8Array, anchor: DossierAnchor): PurgeVerdict {
  const content = decodePurgeCertificate(suite.sha256, bytes);
  if (isReject(content)) return failed([], 'certificate format', content);
  const { checks, ok } = verifyDossier(suite, content.dossier, anchor);
  const ground = ok ? groundOf(suite, content) : reject('not_checked', 'the head is not proven');
  if (isReject(ground)) return failed(checks, 'log of the phase', ground);
  const order = checkLeaf(ground, content.order, KINDS.filePurge);
  const ordered = isReject(order) ? order : contentOf(order, decodeFilePurge);
  if (isReject(order) || isReject(ordered)) return failed(checks, 'order to purge', ordered as Reject);
  if (ordered.cid !== content.cid) return failed(checks, 'order to purge', reject('other_file', ordered.cid));
  const { sender } = order.transaction.body;
  const all: DossierCheck[] = [
    ...checks,
    { name: 'order to purge', ok: true, detail: `signed by ${sender}` },
  ];
  const found = new Holders(ground, order.leaf.height);
  for (const receipt of content.receipts) {
    const member = checkReceipt(ground, receipt);
    all.push(checkOf(`receipt at ${receipt.position}`, member, `${member} held the file before the order`));
    if (!isReject(member)) found.hold(member);
  }
  for (const proven of content.acks) {
    const ack = checkAck(ground, proven, order);
    const said = isReject(ack)
      ? ''
      : `${ack.member}, node ${ack.node}: ${ack.kept ? 'kept for another phase' : 'deleted'}`;
    all.push(checkOf(`acknowledgement at ${proven.position}`, ack, said));
    if (!isReject(ack)) found.acknowledge(ack);
  }
  const holders = found.list();
  const silent = missing(holders);
  const changed = holders.flatMap(({ member, cardChanged }) => (cardChanged ? [member] : []));
  const detail = [
    silent === null ? 'by every node of every holder' : `not yet by ${silent}`,
    ...changed.map(member => `${member} has changed its card since: nodes that it dropped are not asked for`),
  ].join('; ');
  all.push({ name: 'acknowledgements', ok: true, detail });
  const { phase, cid } = content;
  const said = { phase, cid, by: sender, reason: ordered.reason, orderedMs: order.leaf.timeMs };
  const purge = { ...said, holders, complete: silent === null };
  return { ok: all.every(check => check.ok), checks: all, purge };
}

function checkOf(name: string, value: unknown, detail: string): DossierCheck {
  return isReject(value)
    ? { name, ok: false, detail: `${value.reject}: ${value.detail}` }
    : { name, ok: true, detail };
}

function failed(checks: readonly DossierCheck[], name: string, fault: Reject): PurgeVerdict {
  return { ok: false, checks: [...checks, checkOf(name, fault, '')], purge: null };
}
