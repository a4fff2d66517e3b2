import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import type { LogId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { signTransactions } from '../../../src/core/codec/build.ts';
import { encodeBlockEntryLeaf } from '../../../src/core/codec/chain.ts';
import { encodePhaseState } from '../../../src/core/codec/state.ts';
import {
  decodeLeaf,
  decodeSignedTransaction,
  decodeTransaction,
  encodeLeaf,
  encodeSignedTransaction,
} from '../../../src/core/codec/transaction.ts';
import { checkAuthorship } from '../../../src/core/light/authorship.ts';
import { checkLogAbsent, checkLogUpdate, type LogUpdate } from '../../../src/core/light/log-update.ts';
import { decodeLogUpdate, encodeLogUpdate } from '../../../src/core/light/log-update-codec.ts';
import {
  checkReceipt,
  decodeReceipt,
  EntryTree,
  encodeReceipt,
  makeReceipt,
} from '../../../src/core/light/receipt.ts';
import { appendLeaf, EMPTY_FRONTIER, inclusionProof, leafHash } from '../../../src/core/merkle/log.ts';
import { OUTCOMES } from '../../../src/core/types/outcome.ts';
import {
  hashOf,
  ok,
  sampleChain,
  samplePhase,
  sampleSystem,
  sha256,
  signerOf,
  suite,
  validatorKeys,
} from './test-chain.ts';

const { chain, a, b } = sampleChain();
const { header } = chain.head;
const nothing = { frontier: EMPTY_FRONTIER };
const honest = chain.logUpdate(a);
const code = (value: unknown) => (isReject(value) ? value.reject : value);
const check = (changed: Partial<LogUpdate>, known: Parameters<typeof checkLogUpdate>[2] = nothing) =>
  code(checkLogUpdate(suite, header, known, { ...honest, ...changed }));

describe('log updates', () => {
  it('accepts every leaf of a log, whole or from where the verifier stands', () => {
    const whole = ok(checkLogUpdate(suite, header, nothing, honest));
    expect(whole.items).toHaveLength(13);
    expect(whole.frontier).toEqual(a.frontier);
    const half = chain.logUpdate(a, 7);
    const rest = ok(checkLogUpdate(suite, header, { frontier: half.frontier }, half));
    expect(rest.items.map(item => item.leaf.position)).toEqual([7, 8, 9, 10, 11, 12]);
    expect(rest.frontier).toEqual(whole.frontier);
    const none = chain.logUpdate(a, 13);
    expect(ok(checkLogUpdate(suite, header, { frontier: whole.frontier }, none)).items).toEqual([]);
    expect(decodeLogUpdate(encodeLogUpdate(honest))).toEqual(honest);
  });

  it('accepts a start that a later grant allows, and no other', () => {
    const granted = chain.logUpdate(a, 4);
    expect(ok(checkLogUpdate(suite, header, { ...nothing, startPosition: 4 }, granted)).items).toHaveLength(
      9,
    );
    expect(code(checkLogUpdate(suite, header, nothing, granted))).toBe('wrong_start');
    const forged = { ...granted, frontier: appendLeaf(sha256, chain.logUpdate(a, 3).frontier, hashOf('x')) };
    expect(code(checkLogUpdate(suite, header, { ...nothing, startPosition: 4 }, forged))).toBe('wrong_root');
  });

  it('[77] refuses a withheld record, at the end or in the middle', () => {
    expect(check({ items: honest.items.slice(0, -1) })).toBe('withheld');
    expect(check({ items: honest.items.toSpliced(5, 1) })).toBe('withheld');
    const { size } = honest.entry;
    expect(check({ items: honest.items.slice(0, -1), entry: { ...honest.entry, size: size - 1 } })).toBe(
      'bad_map_proof',
    );
    expect(check({ items: honest.items.toSpliced(5, 1, honest.items[4]!) })).toBe('reordered');
  });

  it('[77] refuses an invented record, appended or in place of a real one', () => {
    const extra = {
      ...honest.items[12]!,
      leaf: encodeLeaf({ ...ok(decodeLeaf(honest.items[12]!.leaf)), position: 13 }),
    };
    expect(check({ items: [...honest.items, extra] })).toBe('invented');
    const leaf = encodeLeaf({ ...ok(decodeLeaf(honest.items[3]!.leaf)), outcome: OUTCOMES.expired });
    expect(check({ items: honest.items.with(3, { ...honest.items[3]!, leaf }) })).toBe('wrong_root');
    const fake = chain.build('alice', 0, 'phaseOpen', [a], [[0, utf8('never sealed')]]);
    const [signed] = signTransactions(sha256, signerOf('alice'), [fake]);
    const transaction = encodeSignedTransaction(signed!);
    expect(check({ items: honest.items.with(3, { ...honest.items[3]!, transaction }) })).toBe(
      'wrong_transaction',
    );
    const own = encodeLeaf({ ...ok(decodeLeaf(honest.items[3]!.leaf)), transactionId: fake.id });
    expect(check({ items: honest.items.with(3, { leaf: own, transaction }) })).toBe('wrong_root');
  });

  it('[77] refuses a reordered log, also when the leaves are numbered anew', () => {
    const swapped = honest.items.with(2, honest.items[3]!).with(3, honest.items[2]!);
    expect(check({ items: swapped })).toBe('reordered');
    const renumbered = swapped.map((item, position) => {
      return { ...item, leaf: encodeLeaf({ ...ok(decodeLeaf(item.leaf)), position }) };
    });
    expect(check({ items: renumbered })).toBe('wrong_root');
  });

  it('[77] refuses a truncated log served with an entry of an older head, and a rewritten past', () => {
    const older = sampleChain(3);
    const old = older.chain.logUpdate(older.a);
    expect(code(checkLogUpdate(suite, header, nothing, old))).toBe('bad_map_proof');
    const rest = chain.logUpdate(a, 5);
    const past = { size: 5, hashes: [hashOf('another'), hashOf('past')] };
    expect(code(checkLogUpdate(suite, header, { frontier: past }, rest))).toBe('log_forked');
    expect(code(checkLogUpdate(suite, header, { frontier: rest.frontier }, honest))).toBe('wrong_start');
  });

  it('[78] refuses a record moved from another phase, and a log served under another name', () => {
    const other = chain.logUpdate(b);
    expect(check({ items: honest.items.with(1, other.items[1]!) })).toBe('foreign_leaf');
    const moved = (from: number) => {
      const leaf = encodeLeaf({ ...ok(decodeLeaf(other.items[from]!.leaf)), logId: a.logId });
      return { items: honest.items.with(from, { ...other.items[from]!, leaf }) };
    };
    expect(check(moved(0))).toBe('foreign_transaction');
    expect(check(moved(1))).toBe('foreign_part');
    expect(code(checkLogUpdate(suite, header, nothing, { ...other, logId: a.logId }))).toBe('bad_map_proof');
    expect(check({ mapProof: other.mapProof })).toBe('bad_map_proof');
  });

  it('refuses a scope state that is not the certified one', () => {
    expect(check({ state: encodePhaseState({ ...samplePhase('phase a'), frozen: true }) })).toBe(
      'wrong_state',
    );
    expect(check({ state: null })).toMatchObject({ state: null });
  });

  it('keeps to its own parts: a part of another scope is refused, a deleted own part is not', () => {
    const at = honest.items.findIndex(
      item => ok(decodeSignedTransaction(item.transaction)).parts.length === 2,
    );
    const own = ok(decodeSignedTransaction(honest.items[at]!.transaction));
    const foreign = ok(decodeSignedTransaction(chain.logUpdate(b).items[1]!.transaction)).parts[1]!;
    const leaked = encodeSignedTransaction({ ...own, parts: [own.parts[0]!, foreign] });
    expect(check({ items: honest.items.with(at, { ...honest.items[at]!, transaction: leaked }) })).toBe(
      'foreign_part',
    );
    const deleted = encodeSignedTransaction({ ...own, parts: [null, null] });
    expect(
      check({ items: honest.items.with(at, { ...honest.items[at]!, transaction: deleted }) }),
    ).toMatchObject({ from: 0 });
    const edited = { ...own.parts[0]!, content: utf8('edited') };
    const forged = encodeSignedTransaction({ ...own, parts: [edited, null] });
    expect(check({ items: honest.items.with(at, { ...honest.items[at]!, transaction: forged }) })).toBe(
      'malformed',
    );
  });

  it('takes the leaf of a revocation, which names the system log only', () => {
    const { chain: own, a: log, system } = sampleChain(0);
    const built = own.build('alice', 0, 'memberRevoke', [system], [[0, utf8('bob')]]);
    const [signed] = signTransactions(sha256, signerOf('alice'), [built]);
    own.seal([signed!], { alsoIn: [log] });
    const verified = ok(checkLogUpdate(suite, own.head.header, nothing, own.logUpdate(log)));
    expect(verified.items.at(-1)!.transaction.signed.parts).toEqual([null]);
  });

  it('proves that a log is not there', () => {
    const unknown = hashOf('no such log') as LogId;
    expect(checkLogAbsent(sha256, header, unknown, chain.absence(unknown))).toBeNull();
    expect(code(checkLogAbsent(sha256, header, a.logId, chain.absence(a.logId)))).toBe('bad_map_proof');
  });
});

describe('authorship', () => {
  const system = sampleSystem();
  /** A leaf of bob (or `name`) at a height, in a batch of two, signed with the key of `key`. */
  const at =
    (height: number, outcome = 0) =>
    (key: string, keyId: number, name = 'bob') => {
      const built = ['x', 'y'].map(text => chain.build(name, keyId, 'phaseOpen', [a], [[0, utf8(text)]]));
      const [signed] = signTransactions(sha256, signerOf(key), built);
      const transaction = ok(decodeTransaction(sha256, encodeSignedTransaction(signed!)));
      const leaf = { logId: a.logId, position: 0, height, timeMs: 1, transactionId: transaction.id, outcome };
      return code(checkAuthorship(suite, system, leaf, transaction));
    };

  it('[91] judges old leaves by the key of their height', () => {
    expect(at(3)('bob', 0)).toBeNull();
    expect(at(4)('bob', 0)).toBeNull();
    expect(at(4)('bob 2', 1)).toBe('key_not_valid');
    expect(at(5)('bob', 0)).toBe('key_not_valid');
    expect(at(5, OUTCOMES.revokedKey)('bob', 0)).toBe('key_not_valid');
    expect(at(5)('bob 2', 1)).toBeNull();
    expect(at(9)('bob 2', 1)).toBeNull();
    expect(at(9)('bob', 0)).toBe('key_not_valid');
    expect(at(3)('bob 2', 1)).toBe('key_not_valid');
    expect(at(9, OUTCOMES.revokedKey)('bob', 0)).toBe('key_not_valid');
  });

  it('refuses unknown members and keys, and signatures of somebody else', () => {
    expect(at(3)('alice', 0)).toBe('bad_signature');
    expect(at(3)('bob', 2)).toBe('unknown_key');
    expect(at(3)('carol', 0, 'carol')).toBe('unknown_author');
    expect(at(3, OUTCOMES.revokedKey)('alice', 0)).toBe('bad_signature');
  });
});

describe('receipts', () => {
  const block = chain.blocks[3]!;
  const receipt = makeReceipt(block, chain.certificates[3]!, new EntryTree(sha256, block), 1);
  const { set } = validatorKeys(0);

  it('proves every entry of blocks of every size up to 40, as RFC 9162 does', () => {
    for (let size = 1; size <= 40; size += 1) {
      const entries = Array.from({ length: size }, (_, index) => {
        const id = sha256(new Uint8Array([size, index]));
        return { id, wrapperHash: id, outcome: 0 };
      });
      const leaves = entries.map(entry => leafHash(sha256, encodeBlockEntryLeaf(entry)));
      const tree = new EntryTree(sha256, { header: block.header, entries });
      for (let index = 0; index < size; index += 1) {
        const { path } = tree.prove(index);
        expect(path).toEqual(inclusionProof(sha256, position => leaves[position]!, index, size));
      }
    }
  });

  it('prove the outcome of a transaction and survive their encoding', () => {
    expect(checkReceipt(suite, chain.chainId, receipt, set)).toBeNull();
    expect(decodeReceipt(encodeReceipt(receipt))).toEqual(receipt);
  });

  it('refuse every flipped byte', () => {
    const bytes = encodeReceipt(receipt);
    for (let offset = 0; offset < bytes.length; offset += 1) {
      const forged = bytes.slice();
      forged[offset]! ^= 1 << (offset % 8);
      const decoded = decodeReceipt(forged);
      expect(isReject(decoded) || checkReceipt(suite, chain.chainId, decoded, set) !== null).toBe(true);
    }
  });

  it('refuse another outcome and another block', () => {
    const entry = { ...receipt.proof.entry, outcome: OUTCOMES.expired };
    const changed = { ...receipt, proof: { ...receipt.proof, entry } };
    expect(code(checkReceipt(suite, chain.chainId, changed, set))).toBe('bad_inclusion');
    const moved = { ...receipt, certified: chain.certified(4) };
    expect(code(checkReceipt(suite, chain.chainId, moved, set))).toBe('bad_inclusion');
  });
});
