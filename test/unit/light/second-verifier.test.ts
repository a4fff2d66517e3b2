import { createHash, createPublicKey, ECDH, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodeSystemState } from '../../../src/core/codec/state.ts';
import { decodeSignedTransaction } from '../../../src/core/codec/transaction.ts';
import type { Dossier, DossierLog } from '../../../src/core/light/dossier.ts';
import { buildDossier } from '../../../src/core/light/dossier-codec.ts';
import { verifyDossier } from '../../../src/core/light/dossier-verify.ts';
import { appendLeaves, consistencyProof, EMPTY_FRONTIER, treeRoot } from '../../../src/core/merkle/log.ts';
import { hashesRightOf, rightOfConsistency, rootWithRight } from '../../../src/core/merkle/range.ts';
import { openPayload } from '../../../src/crypto/record-cipher.ts';
import { sampleDossier } from './sample-dossier.ts';
import { hashOf, ok, sampleChain, sampleSystem, sha256, suite } from './test-chain.ts';

// A second verifier of dossiers, from docs/PROTOCOL.md and sections 2.1 of RFC 9162: trees are taken apart from the root down,
// recursively, where the program climbs from the leaf up. It shares nothing with the program but the structures of the file.

const digest = (...parts: Uint8Array[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const hex = (text: string) => Buffer.from(text, 'hex');
const tag = (purpose: string) => Buffer.from(`phaseline/1/${purpose}\0`);
const u8 = (value: number) => Buffer.from([value]);
const u16 = (value: number) => Buffer.from([value >> 8, value & 255]);
function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
const node = (left: Buffer, right: Buffer) => digest(u8(1), left, right);
/** k of RFC 9162: the largest power of two below n. */
const split = (n: number) => 2 ** Math.floor(Math.log2(n - 1));

/** Root of n leaves by the inclusion path of leaf m, from the root's side of the path. */
function rootByPath(m: number, n: number, leaf: Buffer, path: readonly Buffer[]): Buffer {
  if (n === 1) return path.length === 0 ? leaf : Buffer.alloc(0);
  const [rest, last] = [path.slice(0, -1), path.at(-1) ?? Buffer.alloc(0)];
  const k = split(n);
  return m < k ? node(rootByPath(m, k, leaf, rest), last) : node(last, rootByPath(m - k, n - k, leaf, rest));
}

/** Root of the leaves [from, to) of a log of which some are shown: those at [first, …), what is left of them and right of them. */
function rootByRange(
  from: number,
  to: number,
  first: number,
  leaves: readonly Buffer[],
  left: Buffer[],
  right: Buffer[],
): Buffer {
  const end = first + leaves.length;
  if (to <= first && isMaximal(from, to, first)) return left.shift() ?? Buffer.alloc(0);
  if (from >= end) return right.shift() ?? Buffer.alloc(0);
  if (to - from === 1) return leaves[from - first] ?? Buffer.alloc(0);
  const k = from + split(to - from);
  return node(
    rootByRange(from, k, first, leaves, left, right),
    rootByRange(k, to, first, leaves, left, right),
  );
}

/** A subtree of the leaves before `first` that is no part of a larger one: as binary digits of `first` say. */
function isMaximal(from: number, to: number, first: number): boolean {
  const size = to - from;
  return (
    Number.isInteger(Math.log2(size)) &&
    from % size === 0 &&
    Math.floor(first / size) % 2 === 1 &&
    from + size <= first
  );
}

const NONE = Buffer.alloc(0);

/** Root of n leaves of which those at some positions are shown; the rest of the hashes are taken from the list. */
function rootBySome(from: number, n: number, shown: ReadonlyMap<number, Buffer>, rest: Buffer[]): Buffer {
  if (![...shown.keys()].some(position => position >= from && position < from + n))
    return rest.shift() ?? NONE;
  if (n === 1) return shown.get(from)!;
  const left = rootBySome(from, split(n), shown, rest);
  return node(left, rootBySome(from + split(n), n - split(n), shown, rest));
}

/** A key and its value by the path from the root down, in binary digits. */
type Entry = readonly [digits: string, leaf: Buffer];

function entryOf(key: Buffer, value: Buffer): Entry {
  const digits = [...key].map(byte => byte.toString(2).padStart(8, '0')).join('');
  return [digits, digest(tag('map-leaf'), key, value)];
}

/** Root of a map by the opening of some keys. */
function mapRootBy(entries: readonly Entry[], bits: boolean[], hashes: Buffer[], path = ''): Buffer {
  const below = entries.filter(([digits]) => digits.startsWith(path));
  const bit = below.length > 1 || bits.shift();
  if (bit === undefined) return NONE;
  if (below.length === 0) return bit ? (hashes.shift() ?? NONE) : Buffer.alloc(32);
  if (!bit) return below[0]![1];
  const left = mapRootBy(below, bits, hashes, `${path}0`);
  return digest(tag('map-branch'), left, mapRootBy(below, bits, hashes, `${path}1`));
}

const SCOPES = { system: 0, project: 1, phase: 2 } as const;

/** What the map must have of a log if the leaves are those of the file; null where they do not fit. */
function logEntry({ head }: Dossier, log: DossierLog): Entry | null {
  const { chainId } = head.header;
  const logId = digest(tag('log-id'), hex(chainId), u8(SCOPES[log.scope]), hex(log.id));
  const leaves = log.items.map(({ height, timeMs, outcome, transaction }, index) => {
    const body = transaction.subarray(4, 4 + Buffer.from(transaction).readUInt32BE());
    const id = digest(tag('transaction-body'), body);
    const place = [logId, u64(log.frontier.size + index), u64(height), u64(timeMs), id, u16(outcome)];
    return digest(u8(0), tag('leaf'), ...place);
  });
  const { size, digest: state } = log;
  const [left, right] = [log.frontier.hashes.map(hex), log.right.map(hex)];
  const found = rootByRange(0, size, log.frontier.size, leaves, left, right);
  const value = digest(tag('map-entry'), u64(size), found, hex(state));
  const fits = found.length > 0 && left.length === 0 && right.length === 0;
  return fits ? entryOf(digest(tag('map-key'), logId), value) : null;
}

function membersEntry({ head, members }: Dossier): Entry | null {
  const { chainId } = head.header;
  const logId = digest(tag('log-id'), hex(chainId), u8(0), hex(chainId));
  const { size, root, sections } = members!;
  const shown = new Map(members!.members.map(({ index, member }) => [index, digest(u8(0), member)]));
  const rest = members!.beside.map(hex);
  const state = digest(tag('system-state'), u32(sections), rootBySome(0, sections, shown, rest));
  const isMember = members!.members.every(({ index }) => index > 0 && index < sections);
  const value = digest(tag('map-entry'), u64(size), hex(root), state);
  return isMember && rest.length === 0 ? entryOf(digest(tag('map-key'), logId), value) : null;
}

/** The leaves of every log and the keys of the members are those of the header's map. */
function verifyMap(dossier: Dossier): boolean {
  const entries = [membersEntry(dossier), ...dossier.logs.map(log => logEntry(dossier, log))];
  const known = entries.filter(entry => entry !== null);
  const [bits, hashes] = [[...dossier.map.bits], dossier.map.hashes.map(hex)];
  const root = known.length === entries.length ? mapRootBy(known, bits, hashes) : NONE;
  return root.equals(hex(dossier.head.header.mapRoot)) && bits.length === 0 && hashes.length === 0;
}

function verifyFields(dossier: Dossier): boolean {
  return dossier.fields.every(({ field, position, logId }) => {
    const log = dossier.logs.find(({ id }) =>
      digest(tag('log-id'), hex(dossier.head.header.chainId), u8(2), hex(id)).equals(hex(logId)),
    )!;
    const signed = ok(decodeSignedTransaction(log.items[position - log.frontier.size]!.transaction));
    const meta = Buffer.from(signed.parts[0]!.content);
    // u32 epoch, u8 mode, bytes wrapped key, hash key commitment, hash fields root
    const at = 4 + 1 + 4 + meta.readUInt32BE(5) + 32;
    const text = (value: string) => [u32(Buffer.byteLength(value)), Buffer.from(value)];
    const place = [u32(field.index), u32(field.size), ...text(field.name), ...text(field.value)];
    const leaf = digest(u8(0), tag('record-field'), field.salt, ...place);
    return rootByPath(field.index, field.size, leaf, field.path.map(hex)).equals(meta.subarray(at, at + 32));
  });
}

function verifyHead(dossier: Dossier, keys: readonly Uint8Array[]): boolean {
  const { header: h, certificate: c } = dossier.head;
  const hashes = [h.transactionsRoot, h.mapRoot].map(hex);
  const sets = [
    u64(h.validatorSetId),
    hex(h.validatorSetHash),
    hex(h.nextValidatorSetHash),
    u64(h.previousSetChangeHeight),
  ];
  const chain = [u16(h.version), hex(h.chainId), u64(h.height), hex(h.parentHash), u64(h.timeMs)];
  const block = digest(tag('header'), ...chain, ...hashes, ...sets);
  const vote = [
    hex(h.chainId),
    u64(c.validatorSetId),
    u64(c.view),
    hex(c.newViewDigest),
    u64(c.height),
    block,
  ];
  const bytes = Buffer.concat([tag('pbft-commit'), ...vote]);
  return c.signatures.every(({ signer, signature }) => {
    const point = ECDH.convertKey(
      keys[signer]!,
      'prime256v1',
      undefined,
      undefined,
      'uncompressed',
    ) as Buffer;
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map(part => part.toString('base64url')) as [
      string,
      string,
    ];
    const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
    return verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, signature);
  });
}

describe('a second verifier, written from the protocol page and RFC 9162', () => {
  const sample = sampleDossier();
  const { content, chain, system, a } = sample;

  it('takes every range of a log of every size up to 20, and the program takes what it takes', () => {
    const leaves = Array.from({ length: 20 }, (_, index) => sha256(u8(index)));
    for (let size = 1; size <= 20; size += 1) {
      const root = treeRoot(sha256, leaves.slice(0, size));
      for (let from = 0; from <= size; from += 1) {
        for (let to = from; to <= size; to += 1) {
          const frontier = appendLeaves(sha256, EMPTY_FRONTIER, leaves.slice(0, from));
          const right = hashesRightOf((low, high) => treeRoot(sha256, leaves.slice(low, high)), to, size);
          const last = appendLeaves(sha256, frontier, leaves.slice(from, to));
          expect(rootWithRight(sha256, last, right, size), `${from}-${to} of ${size}`).toBe(root);
          const shown = leaves.slice(from, to).map(hex);
          const second = rootByRange(0, size, from, shown, frontier.hashes.map(hex), right.map(hex));
          expect(second.toString('hex'), `${from}-${to} of ${size}`).toBe(root);
          expect(rootWithRight(sha256, last, [...right, hashOf('more')], size)).not.toBe(root);
          if (right.length > 0) expect(rootWithRight(sha256, last, right.slice(1), size)).not.toBe(root);
          if (to === 0) continue;
          const path = consistencyProof(sha256, at => leaves[at]!, to, size);
          expect(rightOfConsistency(path, to, size)).toEqual(right);
        }
      }
    }
  });

  it('takes a whole dossier, and one of single leaves', () => {
    const keys = chain.keys.set.validators.map(({ publicKey }) => publicKey);
    const second = (dossier: Dossier) =>
      verifyMap(dossier) && verifyFields(dossier) && verifyHead(dossier, keys);
    expect(second(content)).toBe(true);
    for (let position = 0; position < a.items.length; position += 1) {
      const map = chain.openMap(system, a);
      const one = { ...content, map, logs: [chain.dossierLog(a, position, position + 1)], fields: [] };
      expect(second(one), `leaf ${position}`).toBe(true);
      expect(second({ ...one, logs: [{ ...one.logs[0]!, right: [hashOf('x')] }] })).toBe(false);
    }
  });

  it('[80] says no where the program says no', () => {
    const keys = chain.keys.set.validators.map(({ publicKey }) => publicKey);
    const [log, other] = content.logs as [DossierLog, DossierLog];
    const { map } = content;
    const forged: Partial<Dossier>[] = [
      { logs: [{ ...log, size: log.size + 1 }, other] },
      { logs: [{ ...log, items: log.items.toSpliced(1, 1) }, other] },
      { logs: [{ ...log, items: log.items.slice(0, -1), size: log.size - 1 }, other] },
      { logs: [{ ...log, items: log.items.with(1, { ...log.items[1]!, height: 3 }) }, other] },
      { logs: [{ ...log, digest: hashOf('x') }, other] },
      { logs: [log] },
      { map: { bits: map.bits.slice(1), hashes: map.hashes } },
      { map: { bits: map.bits.with(0, !map.bits[0]), hashes: map.hashes } },
      { map: { bits: map.bits, hashes: [...map.hashes, hashOf('x')] } },
      { members: { ...content.members!, sections: 9 } },
      { members: { ...content.members!, members: [{ ...content.members!.members[0]!, index: 2 }] } },
      { members: { ...content.members!, beside: [hashOf('x')] } },
      { fields: [{ ...content.fields[0]!, field: { ...content.fields[0]!.field, value: '43' } }] },
      { head: { ...content.head, header: { ...content.head.header, timeMs: 1 } } },
    ];
    for (const [index, change] of forged.entries()) {
      const dossier = { ...content, openings: [], files: [], claims: [], ...change };
      const second = verifyMap(dossier) && verifyFields(dossier) && verifyHead(dossier, keys);
      expect(second, `forgery ${index}`).toBe(false);
      const { ok: holds } = verifyDossier(suite, buildDossier(sha256, dossier), chain.anchor, {
        openPayload,
      });
      expect(holds, `forgery ${index}`).toBe(false);
    }
  });

  it('finds the digest of the system state that the program certifies', () => {
    const { chain: own, system } = sampleChain(1);
    const { members } = sampleSystem();
    const rest = encodeSystemState({ ...sampleSystem(), members: [] });
    const proven = own.provenMembers(system);
    const leaves = [rest, ...proven.members.map(({ member }) => member)].map(section =>
      digest(u8(0), section),
    );
    expect(leaves).toHaveLength(members.length + 1);
    const shown = new Map([1, 2].map(index => [index, leaves[index]!]));
    const root = node(node(leaves[0]!, leaves[1]!), leaves[2]!);
    expect(rootBySome(0, 3, shown, [leaves[0]!])).toEqual(root);
    expect(proven.beside).toEqual([leaves[0]!.toString('hex')]);
    expect(digest(tag('system-state'), u32(3), root).toString('hex')).toBe(own.entry(system).digest);
  });
});
