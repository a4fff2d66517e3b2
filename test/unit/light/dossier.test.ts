import { describe, expect, it } from 'vitest';
import { concatBytes, hashBytes, toHex, utf8 } from '../../../src/core/base/bytes.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import { tagged } from '../../../src/core/codec/tags.ts';
import { decodeSignedTransaction, encodeSignedTransaction } from '../../../src/core/codec/transaction.ts';
import type { Dossier, DossierItem, DossierLog } from '../../../src/core/light/dossier.ts';
import {
  buildDossier,
  CHECKSUM_BYTES,
  decodeDossier,
  verifyDossierChecksum,
} from '../../../src/core/light/dossier-codec.ts';
import { type DossierVerdict, verifyDossier } from '../../../src/core/light/dossier-verify.ts';
import { consistencyProof, EMPTY_FRONTIER } from '../../../src/core/merkle/log.ts';
import { rightOfConsistency } from '../../../src/core/merkle/range.ts';
import { openPayload } from '../../../src/crypto/record-cipher.ts';
import { nobleSuite } from '../../../src/crypto/suite.ts';
import { randomFrom, sampleDossier } from './sample-dossier.ts';
import { certify, hashOf, ok, sha256, signerOf, suite, validatorKeys } from './test-chain.ts';
import { CID, plaintext } from './test-records.ts';

const seed = Number(process.env.PHASELINE_SEED ?? Date.now() % 1_000_000);
console.log(`dossier.test seed ${seed} (PHASELINE_SEED repeats it)`);

const sample = sampleDossier();
const { anchor } = sample.chain;
const bytes = buildDossier(sha256, sample.content);
const verify = (file: Uint8Array) => verifyDossier(suite, file, anchor, { openPayload });
const failing = (verdict: DossierVerdict) =>
  verdict.checks.filter(check => !check.ok).map(check => check.name);
const failingOf = (changed: Partial<Dossier>) =>
  failing(verify(buildDossier(sha256, { ...sample.content, ...changed })));
const withLog = (index: number, change: (log: DossierLog) => Partial<DossierLog>) => {
  const log = sample.content.logs[index]!;
  return { logs: sample.content.logs.with(index, { ...log, ...change(log) }) };
};
/** As a forger does it, who knows the format. */
const withChecksum = (body: Uint8Array) =>
  concatBytes(body, hashBytes(sha256(tagged('dossier', body))).subarray(0, CHECKSUM_BYTES));
const PHASE_A = `log phase ${sample.a.id.slice(0, 8)}`;
const PHASE_B = `log phase ${sample.b.id.slice(0, 8)}`;
const MAP = `map of state of the members, ${PHASE_A}, ${PHASE_B}`;
const OPENED = `${PHASE_A}: record ${sample.second} opened`;

describe('a dossier as it was written', () => {
  it('verifies offline from genesis, every check named', () => {
    const verdict = verify(bytes);
    expect(failing(verdict)).toEqual([]);
    expect(verdict.ok).toBe(true);
    expect(verdict.checks.map(check => check.name)).toEqual(
      expect.arrayContaining([
        'file checksum',
        'chain',
        'validator set at height 0',
        'validator set at height 3',
        'validator set at height 5',
        'head certificate',
        'state of the members',
        MAP,
        'keys of alice',
        'keys of bob',
        `${PHASE_A}: complete (6 leaves)`,
        `${PHASE_A}: authors (6 leaves)`,
        OPENED,
        `${PHASE_A}: record ${sample.second} field data.amount`,
        `${PHASE_B}: record ${sample.handed}, item 0 opened`,
        `${PHASE_A}: record ${sample.first} file ${CID}`,
      ]),
    );
    expect(verdict.summary).toMatchObject({ height: 7, setChanges: 2, openedRecords: 2, files: 1 });
    expect(verdict.records).toMatchObject([
      {
        author: 'bob',
        text: new TextDecoder().decode(plaintext),
        fields: [{ name: 'data.amount', value: '42' }],
      },
      { author: 'bob', height: 4, fields: [] },
    ]);
  });

  it('verifies with the second suite too, and decodes to what was written', () => {
    expect(verifyDossier(nobleSuite, bytes, anchor, { openPayload }).ok).toBe(true);
    expect(decodeDossier(sha256, bytes)).toEqual(sample.content);
  });

  it('verifies from a pinned head too, with the set changes above it', () => {
    const { middle, chain } = sample;
    const { header, certificate } = middle;
    const set = chain.setChanges[0]!.nextSet;
    const hash = chain.blocks[5]!.header.parentHash;
    const pinned = { header, hash, set, proof: { certificate, set } };
    expect(failing(verifyDossier(suite, bytes, { pinned }, { openPayload }))).toEqual([]);
    const atHead = {
      header: chain.head.header,
      hash: headerHash(sha256, chain.head.header),
      set: chain.keys.set,
    };
    expect(failing(verifyDossier(suite, bytes, { pinned: atHead }, { openPayload }))).toEqual([]);
    const other = { ...pinned, header: { ...header, chainId: hashOf('other') } };
    expect(failing(verifyDossier(suite, bytes, { pinned: other }, { openPayload }))).toContain('chain');
  });

  it('verifies without the payloads that were left out, unless one of them is said to be opened', () => {
    const bare = (item: DossierItem): DossierItem => {
      const signed = ok(decodeSignedTransaction(item.transaction));
      const parts = signed.parts.map((part, index) => (index === 0 ? part : null));
      return { ...item, transaction: encodeSignedTransaction({ ...signed, parts }) };
    };
    const lean = withLog(0, log => ({ items: log.items.map(bare) }));
    expect(failingOf({ ...lean, openings: [] })).toEqual([]);
    expect(failingOf(lean)).toEqual([OPENED]);
  });

  it('shows single records with the fields of one and the leaves of nobody else', () => {
    const { chain, a, second, content } = sample;
    const logs = [chain.dossierLog(a, second, second + 1)];
    const members = chain.provenMembers(sample.system, ['bob']);
    const map = chain.openMap(sample.system, a);
    const small = { ...content, map, logs, members, openings: [], files: [] };
    const verdict = verify(buildDossier(sha256, small));
    expect(failing(verdict)).toEqual([]);
    expect(verdict.records).toMatchObject([{ text: null, fields: [{ name: 'data.amount', value: '42' }] }]);
    const alone = { ...small, map: chain.openMap(a), members: null };
    expect(failing(verify(buildDossier(sha256, alone)))).toEqual([`${PHASE_A}: author of leaf ${second}`]);
  });
});

describe('a dossier that is not as it was written', () => {
  it('[80] names what fails for a flipped byte anywhere', () => {
    for (let offset = 0; offset < bytes.length; offset += 1) {
      const forged = bytes.slice();
      forged[offset]! ^= 1 << (offset % 8);
      expect(verifyDossierChecksum(sha256, forged), `offset ${offset}`).toBe(false);
      if (offset % 97 === 0) expect(failing(verify(forged)), `offset ${offset}`).toContain('file checksum');
    }
  });

  it('[80] names what fails also when the forger makes the checksum fit', () => {
    const random = randomFrom(seed + 1);
    for (let run = 0; run < 500; run += 1) {
      const body = bytes.slice(0, -CHECKSUM_BYTES);
      const offset = run < 120 ? run : random(body.length);
      body[offset]! ^= 1 << random(8);
      const verdict = verify(withChecksum(body));
      expect(verdict.ok, `offset ${offset}`).toBe(false);
      expect(failing(verdict).length, `offset ${offset}`).toBeGreaterThan(0);
      expect(failing(verdict)).not.toContain('file checksum');
    }
  });

  it('[80] refuses a file cut or lengthened anywhere, and never throws', () => {
    const random = randomFrom(seed + 2);
    for (let run = 0; run < 100; run += 1) {
      const body = bytes.slice(0, random(bytes.length));
      expect(verify(body).ok).toBe(false);
      expect(verify(withChecksum(body)).ok).toBe(false);
    }
    expect(verify(concatBytes(bytes, new Uint8Array(1))).ok).toBe(false);
    expect(verify(new Uint8Array(0)).checks).toMatchObject([{ ok: false }, { ok: false }]);
  });

  it('[78] takes no log of the system beside the members that the map does not have', () => {
    const { id, logId } = sample.system;
    const empty: DossierLog = {
      ...{ scope: 'system', id, size: 0, digest: hashOf('forged'), state: null },
      ...{ frontier: EMPTY_FRONTIER, items: [], right: [] },
    };
    const logs = [...sample.content.logs, empty];
    const claims: Dossier['claims'] = [{ type: 'noRecord', logId, id: hashOf('a revocation') }];
    expect(failingOf({ logs, claims })).toContain(`${MAP}, log system`);
    const { chain, system, a, b } = sample;
    const whole = [a, b, system].map(log => chain.dossierLog(log));
    expect(failingOf({ logs: whole, claims })).toEqual([]);
  });

  it('names the anchor when it is of another chain', () => {
    const other = { ...anchor, genesisHeader: { ...anchor.genesisHeader, chainId: hashOf('other') } };
    expect(failing(verifyDossier(suite, bytes, other, { openPayload }))).toContain('chain');
    expect(
      failing(verifyDossier(suite, bytes, { ...anchor, genesisSet: validatorKeys(9).set }, { openPayload })),
    ).toContain('validator set at height 0');
  });

  it('[79] names the set change that does not hold, and the head', () => {
    const [one, two] = sample.content.setChanges as [never, never];
    expect(failingOf({ setChanges: [one] })).toEqual(['head certificate']);
    expect(failingOf({ setChanges: [two] })).toContain('validator set at height 5');
    const forged = { ...sample.content.head.header, mapRoot: hashOf('forged') };
    const head = { header: forged, certificate: certify(forged, validatorKeys(2), [0, 1]) };
    expect(failingOf({ head })).toContain('head certificate');
    const last = sample.content.setChanges.at(-1)!.certified;
    const bad = { ...last, certificate: { ...last.certificate, view: 9 } };
    expect(failingOf({ head: bad })).toContain('head certificate');
  });

  it('[77] names the log whose leaves are not all there, or not in their order', () => {
    const { logs } = sample.content;
    expect(failingOf(withLog(0, log => ({ items: log.items.slice(0, -1) })))).toContain(`${PHASE_A}: leaves`);
    expect(failingOf(withLog(0, log => ({ items: log.items.toSpliced(2, 1) })))).toContain(
      `${PHASE_A}: leaves`,
    );
    const swapped = withLog(0, ({ items }) => ({ items: items.with(1, items[2]!).with(2, items[1]!) }));
    expect(failingOf(swapped)).toContain(MAP);
    const doubled = withLog(0, ({ items }) => ({ items: [...items, items.at(-1)!] }));
    expect(failingOf(doubled)).toContain(`${PHASE_A}: leaves`);
    const cut = withLog(0, ({ size }) => ({ size: size - 1 }));
    expect(failingOf(cut)).toContain(`${PHASE_A}: leaves`);
    const last = withLog(0, ({ items, size }) => ({ items: items.slice(0, -1), size: size - 1 }));
    expect(failingOf(last)).toContain(MAP);
    const other = withLog(0, ({ items }) => ({ items: items.with(1, { ...items[1]!, outcome: 1 }) }));
    expect(failingOf(other)).toContain(MAP);
    expect(failingOf(withLog(0, () => ({ digest: hashOf('x'), state: null })))).toContain(MAP);
    expect(failingOf(withLog(0, () => ({ state: null })))).toEqual([]);
    expect(failingOf(withLog(0, () => ({ state: logs[1]!.state })))).toContain(`${PHASE_A}: state`);
    expect(failingOf({ logs: [...logs, logs[0]!] })).toEqual(['file format']);
  });

  it('[78] names the log with a record of another phase, and one under another name', () => {
    const { logs } = sample.content;
    const moved = withLog(1, log => ({ items: log.items.with(1, logs[0]!.items[1]!) }));
    expect(failingOf(moved)).toContain(`${PHASE_B}: leaves`);
    const renamed = { ...logs[0]!, id: hashOf('phase c') };
    const name = `log phase ${hashOf('phase c').slice(0, 8)}`;
    const nothingSaid = { openings: [], fields: [], files: [], claims: [] };
    expect(failingOf({ ...nothingSaid, logs: logs.with(0, renamed) })).toEqual(
      expect.arrayContaining([`${name}: leaves`]),
    );
  });

  it('[82] shows the first leaves of a log that went on, and no other leaves', () => {
    const prefix = (count: number, proven: number) => {
      const at = (position: number) => sample.a.hashes[position]!;
      const size = sample.a.hashes.length;
      const right = rightOfConsistency(consistencyProof(sha256, at, proven, size), proven, size);
      const change = withLog(0, log => ({ state: null, items: log.items.slice(0, count), right }));
      return failingOf({ ...change, openings: [], fields: [], claims: [] });
    };
    expect(prefix(4, 4)).toEqual(
      [`${PHASE_A}: record ${sample.first} file ${CID}`].slice(sample.first < 4 ? 1 : 0),
    );
    expect(prefix(5, 5)).toEqual([]);
    expect(prefix(4, 3)).toContain(`${PHASE_A}: leaves`);
    expect(prefix(6, 5)).toContain(`${PHASE_A}: leaves`);
  });

  it('names the member whose keys are others than the certified ones', () => {
    const { members } = sample.content;
    const changed = (change: object) => failingOf({ members: { ...members!, ...change } });
    const unsigned = { members: null, map: sample.chain.openMap(sample.a, sample.b) };
    expect(failingOf(unsigned)).toContain(`${PHASE_A}: author of leaf 0`);
    expect(failingOf({ members: null })).toContain(`map of ${PHASE_A}, ${PHASE_B}`);
    expect(changed({ sections: 2 })).toContain('state of the members');
    expect(changed({ beside: [] })).toContain('state of the members');
    expect(changed({ size: 9 })).toContain(MAP);
    const [alice, bob] = members!.members as [never, never];
    expect(changed({ members: [alice, { ...(bob as object), index: 1 }] })).toContain('state of the members');
    expect(changed({ members: [bob, alice] })).toContain('state of the members');
    const renamed = {
      ...(bob as { member: Uint8Array }),
      member: (bob as { member: Uint8Array }).member.slice(),
    };
    renamed.member[4]! ^= 1;
    expect(changed({ members: [alice, renamed] })).toContain(MAP);
    expect(changed({ members: [{ ...(alice as object), index: 0 }, bob] })).toContain('keys of member 0');
    expect(changed({ members: [{ ...(alice as object), member: new Uint8Array(3) }, bob] })).toContain(
      'keys of member 1',
    );
  });

  it('names the leaf whose author did not sign', () => {
    const forge = (item: DossierItem): DossierItem => {
      const signed = ok(decodeSignedTransaction(item.transaction));
      const signature = signerOf('mallory').sign(signed.body);
      return { ...item, transaction: encodeSignedTransaction({ ...signed, signature }) };
    };
    const forged = withLog(0, log => ({
      items: log.items.with(sample.first, forge(log.items[sample.first]!)),
    }));
    expect(failingOf(forged)).toEqual([`${PHASE_A}: author of leaf ${sample.first}`]);
  });

  it('names the opened record and the field that say something else, and refuses what it cannot check', () => {
    const [opening, handed] = sample.content.openings;
    const record = (at: string | number) => [`${PHASE_A}: record ${at} opened`];
    expect(failingOf({ openings: [{ ...opening!, contentKey: new Uint8Array(32) }] })).toEqual([OPENED]);
    expect(failingOf({ openings: [{ ...opening!, position: 0 }] })).toEqual(record(0));
    expect(failingOf({ openings: [{ ...opening!, position: 99 }] })).toEqual(record(99));
    expect(failingOf({ openings: [{ ...opening!, item: 0 }] })).toEqual(record(`${sample.second}, item 0`));
    expect(failingOf({ openings: [{ ...handed!, item: 1 }] })).toEqual([
      `${PHASE_B}: record ${sample.handed}, item 1 opened`,
    ]);
    const shown = sample.content.fields[0]!;
    const field = (change: object) =>
      failingOf({ fields: [{ ...shown, field: { ...shown.field, ...change } }] });
    const named = [`${PHASE_A}: record ${sample.second} field data.amount`];
    for (const change of [
      { value: '43' },
      { index: 1 },
      { size: 4 },
      { salt: new Uint8Array(32) },
      { path: [] },
    ]) {
      expect(field(change)).toEqual(named);
    }
    expect(field({ name: 'data.weight' })).toEqual([`${PHASE_A}: record ${sample.second} field data.weight`]);
    const file = { ...sample.content.files[0]!, ciphertextBytes: 4095 };
    expect(failingOf({ files: [file] })).toEqual([`${PHASE_A}: record ${sample.first} file ${CID}`]);
    expect(failing(verifyDossier(suite, bytes, anchor))).toEqual([
      OPENED,
      `${PHASE_B}: record ${sample.handed}, item 0 opened`,
    ]);
  });
});

describe('dossier bytes', () => {
  it('begin with the magic and keep their layout', () => {
    expect(toHex(bytes.subarray(0, 8))).toBe(toHex(utf8('PHLDOSS1')));
    expect(isReject(decodeDossier(sha256, utf8('PHLDOSS2')))).toBe(true);
  });
});
