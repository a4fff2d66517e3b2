import { describe, expect, it } from 'vitest';
import { concatBytes, hashBytes, toHex, utf8 } from '../../../src/core/base/bytes.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import { tagged } from '../../../src/core/codec/tags.ts';
import { decodeSignedTransaction, encodeSignedTransaction } from '../../../src/core/codec/transaction.ts';
import { buildDossier, type Dossier, decodeDossier } from '../../../src/core/light/dossier.ts';
import { type DossierVerdict, verifyDossier } from '../../../src/core/light/dossier-verify.ts';
import type { LogItem, LogUpdate } from '../../../src/core/light/log-update.ts';
import { consistencyProof } from '../../../src/core/merkle/log.ts';
import { openPayload } from '../../../src/crypto/record-cipher.ts';
import { nobleSuite } from '../../../src/crypto/suite.ts';
import { certify, hashOf, ok, sampleChain, sha256, signerOf, suite, validatorKeys } from './test-chain.ts';
import { addRecord, CID, contentKey, handOver, plaintext } from './test-records.ts';

const seed = Number(process.env.PHASELINE_SEED ?? Date.now() % 1_000_000);
console.log(`dossier.test seed ${seed} (PHASELINE_SEED repeats it)`);

/** Numerical Recipes' linear congruential generator: enough to pick offsets. */
function randomFrom(start: number): (below: number) => number {
  let state = start >>> 0;
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function sampleDossier() {
  const { chain, system, a, b } = sampleChain(1);
  chain.seal([], { nextKeys: validatorKeys(1, 5) });
  const first = addRecord(chain, a, 'bob', 'bob', 0);
  chain.seal([], { nextKeys: validatorKeys(2) });
  const second = addRecord(chain, a, 'bob', 'bob 2', 1);
  const handed = handOver(chain, a, b, first);
  const content: Dossier = {
    chainId: chain.chainId,
    genesisHash: headerHash(sha256, chain.anchor.genesisHeader),
    setChanges: chain.setChanges,
    head: chain.head,
    logs: [system, a, b].map(log => chain.dossierLog(log)),
    openings: [
      { logId: a.logId, position: second, item: null, contentKey, plaintext },
      { logId: b.logId, position: handed, item: 0, contentKey, plaintext },
    ],
    files: [{ logId: a.logId, position: first, item: null, cid: CID, ciphertextBytes: 4096 }],
  };
  return { chain, a, b, first, second, handed, content };
}

const sample = sampleDossier();
const { anchor } = sample.chain;
const bytes = buildDossier(sha256, sample.content);
const verify = (file: Uint8Array) => verifyDossier(suite, file, anchor, { openPayload });
const failing = (verdict: DossierVerdict) =>
  verdict.checks.filter(check => !check.ok).map(check => check.name);
const failingOf = (changed: Partial<Dossier>) =>
  failing(verify(buildDossier(sha256, { ...sample.content, ...changed })));
const withLog = (index: number, change: (update: LogUpdate) => Partial<LogUpdate>) => {
  const log = sample.content.logs[index]!;
  const update = { ...log.update, ...change(log.update) };
  return { logs: sample.content.logs.with(index, { ...log, update }) };
};
const PHASE_A = `log phase ${sample.a.id.slice(0, 8)}`;
const PHASE_B = `log phase ${sample.b.id.slice(0, 8)}`;

describe('a dossier as it was written', () => {
  it('verifies offline from genesis, every check named', () => {
    const verdict = verify(bytes);
    expect(failing(verdict)).toEqual([]);
    expect(verdict.ok).toBe(true);
    expect(verdict.checks.map(check => check.name)).toEqual(
      expect.arrayContaining([
        'file checksum',
        'chain id',
        'genesis',
        'validator set at height 0',
        'validator set at height 3',
        'validator set at height 5',
        'head certificate',
        'log system: complete (1 leaves)',
        `${PHASE_A}: complete (6 leaves)`,
        `${PHASE_A}: authors (6 leaves)`,
        `${PHASE_A}: opened record ${sample.second}`,
        `${PHASE_B}: opened record ${sample.handed}, item 0`,
        `${PHASE_A}: file ${CID} of record ${sample.first}`,
      ]),
    );
    expect(verdict.summary).toMatchObject({ height: 7, setChanges: 2, openedRecords: 2, files: 1 });
  });

  it('verifies with the second suite too, and decodes to what was written', () => {
    expect(verifyDossier(nobleSuite, bytes, anchor, { openPayload }).ok).toBe(true);
    expect(decodeDossier(bytes)).toEqual(sample.content);
  });

  it('verifies without the payloads that were left out, unless one of them is said to be opened', () => {
    const bare = (item: LogItem): LogItem => {
      const signed = ok(decodeSignedTransaction(item.transaction));
      const parts = signed.parts.map((part, index) => (index === 0 ? part : null));
      return { ...item, transaction: encodeSignedTransaction({ ...signed, parts }) };
    };
    const lean = withLog(1, update => ({ items: update.items.map(bare) }));
    expect(failingOf({ ...lean, openings: [] })).toEqual([]);
    expect(failingOf(lean)).toEqual([`${PHASE_A}: opened record ${sample.second}`]);
  });
});

describe('a dossier that is not as it was written', () => {
  it('[80] names what fails for a flipped byte anywhere', () => {
    const random = randomFrom(seed);
    for (let run = 0; run < 300; run += 1) {
      const forged = bytes.slice();
      const offset = run < 60 ? run : random(bytes.length);
      forged[offset]! ^= 1 << random(8);
      const verdict = verify(forged);
      expect(verdict.ok, `offset ${offset}`).toBe(false);
      expect(failing(verdict), `offset ${offset}`).toContain('file checksum');
    }
  });

  it('[80] names what fails also when the forger makes the checksum fit', () => {
    const random = randomFrom(seed + 1);
    for (let run = 0; run < 500; run += 1) {
      const body = bytes.slice(0, -32);
      const offset = run < 120 ? run : random(body.length);
      body[offset]! ^= 1 << random(8);
      const forged = concatBytes(body, hashBytes(sha256(tagged('dossier', body))));
      const verdict = verify(forged);
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
      expect(verify(concatBytes(body, hashBytes(sha256(tagged('dossier', body))))).ok).toBe(false);
    }
    expect(verify(concatBytes(bytes, new Uint8Array(1))).ok).toBe(false);
    expect(verify(new Uint8Array(0)).checks).toMatchObject([{ ok: false }, { ok: false }]);
  });

  it('names the anchor when it is of another chain', () => {
    const other = { ...anchor, genesisHeader: { ...anchor.genesisHeader, chainId: hashOf('other') } };
    expect(failing(verifyDossier(suite, bytes, other, { openPayload }))).toEqual(
      expect.arrayContaining(['chain id', 'genesis']),
    );
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

  it('[77] names the log that is not complete', () => {
    expect(failingOf(withLog(1, update => ({ items: update.items.slice(0, -1) })))).toEqual(
      expect.arrayContaining([`${PHASE_A}: complete (5 leaves)`]),
    );
    expect(
      failingOf(
        withLog(2, update => ({ items: update.items.with(1, sample.content.logs[1]!.update.items[1]!) })),
      ),
    ).toContain(`${PHASE_B}: complete (${sample.b.items.length} leaves)`);
    expect(failingOf(withLog(1, () => ({ state: null })))).toEqual([]);
    expect(failingOf(withLog(0, () => ({ state: null })))).toEqual(['keys of the members']);
    expect(failingOf(withLog(1, () => ({ state: sample.content.logs[2]!.update.state })))).toContain(
      `${PHASE_A}: state`,
    );
    expect(failingOf({ logs: sample.content.logs.slice(1) })).toEqual(['keys of the members']);
    const renamed = { ...sample.content.logs[1]!, id: hashOf('phase c') };
    expect(failingOf({ logs: sample.content.logs.with(1, renamed) })).toContain(
      `log phase ${hashOf('phase c').slice(0, 8)}: identity`,
    );
    expect(failingOf({ logs: [...sample.content.logs, renamed] })).toEqual(['file format']);
  });

  it('[82] shows the first leaves of a log that went on, with a consistency proof, and no other leaves', () => {
    const log = sample.content.logs[1]!;
    const prefix = (count: number, path: number) => {
      const update = { ...log.update, state: null, items: log.update.items.slice(0, count) };
      const at = (position: number) => sample.a.hashes[position]!;
      const consistency = consistencyProof(sha256, at, path, sample.a.hashes.length);
      return failingOf({ logs: sample.content.logs.with(1, { ...log, update, consistency }), openings: [] });
    };
    expect(prefix(4, 4)).toEqual([]);
    expect(prefix(4, 3)).toContain(`${PHASE_A}: first 4 of 6 leaves`);
    expect(prefix(6, 6)).toContain(`${PHASE_A}: first 6 of 6 leaves`);
    const system = { ...sample.content.logs[0]!, consistency: [] };
    expect(failingOf({ logs: sample.content.logs.with(0, system) })).toContain('keys of the members');
  });

  it('names the leaf whose author did not sign', () => {
    const forge = (item: LogItem): LogItem => {
      const signed = ok(decodeSignedTransaction(item.transaction));
      const signature = signerOf('mallory').sign(signed.body);
      return { ...item, transaction: encodeSignedTransaction({ ...signed, signature }) };
    };
    const forged = withLog(1, update => ({
      items: update.items.with(sample.first, forge(update.items[sample.first]!)),
    }));
    expect(failingOf(forged)).toEqual([`${PHASE_A}: author of leaf ${sample.first}`]);
  });

  it('names the opened record that says something else, and refuses what it cannot check', () => {
    const [opening, handed] = sample.content.openings;
    const name = `${PHASE_A}: opened record ${sample.second}`;
    expect(failingOf({ openings: [{ ...opening!, plaintext: utf8('{"note":"nothing"}') }] })).toEqual([name]);
    expect(failingOf({ openings: [{ ...opening!, contentKey: new Uint8Array(32) }] })).toEqual([name]);
    expect(failingOf({ openings: [{ ...opening!, position: 0 }] })).toEqual([`${PHASE_A}: opened record 0`]);
    expect(failingOf({ openings: [{ ...opening!, position: 99 }] })).toEqual([
      `${PHASE_A}: opened record 99`,
    ]);
    expect(failingOf({ openings: [{ ...opening!, item: 0 }] })).toEqual([`${name}, item 0`]);
    expect(failingOf({ openings: [{ ...handed!, item: 1 }] })).toEqual([
      `${PHASE_B}: opened record ${sample.handed}, item 1`,
    ]);
    const file = { ...sample.content.files[0]!, ciphertextBytes: 4095 };
    expect(failingOf({ files: [file] })).toEqual([`${PHASE_A}: file ${CID} of record ${sample.first}`]);
    expect(failing(verifyDossier(suite, bytes, anchor))).toEqual([
      name,
      `${PHASE_B}: opened record ${sample.handed}, item 0`,
    ]);
  });
});

describe('dossier bytes', () => {
  it('begin with the magic and keep their layout', () => {
    expect(toHex(bytes.subarray(0, 8))).toBe(toHex(utf8('PHLDOSS1')));
    expect(isReject(decodeDossier(utf8('PHLDOSS2')))).toBe(true);
  });
});
