import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/core/base/bytes.ts';
import { type Hash, type LogId, ZERO_HASH } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { signTransactions } from '../../src/core/codec/build.ts';
import { encodeBlockEntryLeaf } from '../../src/core/codec/chain.ts';
import { kindName } from '../../src/core/codec/operation.ts';
import { mapKeyOf, mapValueOf } from '../../src/core/codec/state.ts';
import { decodeTransaction } from '../../src/core/codec/transaction.ts';
import { checkAdmission } from '../../src/core/ledger/admission.ts';
import { type Execution, executeBlock } from '../../src/core/ledger/execute.ts';
import { readLog } from '../../src/core/ledger/read.ts';
import { leafHash, treeRoot } from '../../src/core/merkle/log.ts';
import { mapUpdate } from '../../src/core/merkle/map.ts';
import { KINDS, type KindName } from '../../src/core/types/operation.ts';
import { OUTCOMES, outcomeName } from '../../src/core/types/outcome.ts';
import type { Transaction } from '../../src/core/types/transaction.ts';
import { nodeSuite } from '../../src/crypto/suite.ts';
import { MemoryState, type TestLedger } from '../support/ledger-kit.ts';
import {
  admin,
  alice,
  bob,
  carol,
  dave,
  INTAKE,
  PROJECT,
  REVIEW,
  runningProject,
} from '../unit/ledger/fixture.ts';
import { announce, FUZZ_TIMEOUT, fuzz, mutant, subject } from './kit.ts';
import { contentsByKind, eventfulLedger } from './samples-ledger.ts';

announce('ledger.test');

const { sha256 } = nodeSuite;
const eventful = eventfulLedger().ledger;
const contents = contentsByKind(eventful);
const { ledger, act } = runningProject();
ledger.commit(act.put(bob, INTAKE, 'one'), act.put(bob, INTAKE, 'two'));
const actors = [admin, alice, bob, carol, dave];
const scopes: readonly LogId[] = [
  ledger.logId('system'),
  ledger.logId('project', PROJECT),
  ledger.logId('phase', INTAKE),
  ledger.logId('phase', REVIEW),
  sha256(new Uint8Array(1)) as LogId,
];
const plainScopes = new Map<KindName, readonly (readonly LogId[])[]>(
  [...eventful.transactions.values()].map(({ body }) => [kindName(body.kind)!, [body.scopes]]),
);

/** A transaction that its sender signed: kind, scopes and contents are what a hostile member makes of valid ones. */
const forged: fc.Arbitrary<Transaction> = fc
  .record({
    sender: fc.constantFrom(...actors),
    kind: fc.constantFrom(...(Object.keys(KINDS) as KindName[])),
    sample: fc.nat(),
    mutants: fc.array(
      mutant(
        [...contents].map(([name, all]) =>
          subject(
            name,
            bytes => bytes,
            bytes => bytes,
            all.flat(),
          ),
        ),
      ),
      {
        maxLength: 3,
      },
    ),
    place: fc.nat(3),
    usual: fc.boolean(),
    named: fc.uniqueArray(fc.constantFrom(...scopes), { minLength: 1, maxLength: 4 }),
    lastValidHeight: fc.oneof(
      fc.integer({ min: 1, max: ledger.height + 120 }),
      fc.constantFrom(2 ** 32, Number.MAX_SAFE_INTEGER),
      fc.constant(ledger.height + 5),
      fc.constant(ledger.height + 5),
    ),
    keyId: fc.constantFrom(0, 0, 0, 0, 1, 2 ** 32 - 1),
  })
  .map(({ sender, kind, sample, mutants, place, usual, named, lastValidHeight, keyId }) => {
    const valid = contents.get(kind)!;
    const parts = [...valid[sample % valid.length]!];
    for (const [index, { bytes }] of mutants.entries()) parts[(place + index) % (parts.length + 1)] = bytes;
    const chosen = usual ? (plainScopes.get(kind)?.[0] ?? named) : named;
    const built = ledger.build(sender, kind, chosen, [] as never, {
      lastValidHeight,
      keyId,
      parts: parts.map((content, index) => ({ scope: Math.min(index, chosen.length - 1, 1), content })),
    });
    return ledger.decode(signTransactions(sha256, sender.signer, [built])[0]!);
  });

/** A whole wrapper with changed bytes that still decodes: wrong signatures, paths, bodies. */
const damaged = mutant([
  subject(
    'transaction',
    bytes => decodeTransaction(sha256, bytes),
    bytes => bytes as never,
    [act.put(bob, INTAKE, 'three'), act.rotateEpoch(carol, INTAKE), act.close(alice, INTAKE)].map(
      ({ id }) => ledger.wrappers.get(id)!,
    ),
  ),
]).map(({ bytes }) => decodeTransaction(sha256, bytes));

function applied(base: TestLedger, { diff }: Execution): MemoryState {
  const state = new MemoryState();
  for (const [key, value] of base.state.values) state.values.set(key, value);
  for (const [hash, node] of base.state.nodes) state.nodes.set(hash, node);
  for (const [logId, leaves] of base.state.leaves) state.leaves.set(logId, leaves);
  for (const [id, height] of base.state.ids) state.ids.set(id, height);
  state.apply(diff);
  return state;
}

/** What a block must keep whatever its transactions were: its own root, each log's root, one map over all logs. */
function checkExecution(execution: Execution, transactions: readonly Transaction[]): void {
  const { block, diff } = execution;
  expect(block.entries.map(({ id }) => id)).toEqual(transactions.map(({ id }) => id));
  const hashes = block.entries.map(entry => leafHash(sha256, encodeBlockEntryLeaf(entry)));
  expect(block.header.transactionsRoot).toBe(treeRoot(sha256, hashes));
  for (const { outcome } of block.entries) expect(outcomeName(outcome)).not.toBeNull();
  const state = applied(ledger, execution);
  const entries = new Map<Hash, Hash>();
  for (const key of [...state.values.keys()].filter(each => each.startsWith('log/'))) {
    const logId = key.slice(4) as LogId;
    const row = readLog(state, logId)!;
    const leaves = state.leaves.get(logId) ?? [];
    expect(row.size).toBe(leaves.length);
    expect(row.root).toBe(
      treeRoot(
        sha256,
        leaves.map(leaf => leaf.leafHash),
      ),
    );
    entries.set(mapKeyOf(sha256, logId), mapValueOf(sha256, row));
  }
  expect(block.header.mapRoot).toBe(mapUpdate(sha256, () => null, ZERO_HASH, entries).root);
  const refused = block.entries.every(({ outcome }) => outcome !== OUTCOMES.committed);
  const states = [...diff.state.keys()].filter(key => !key.startsWith('log/'));
  if (refused) expect(states, 'what is refused changes no state').toEqual([]);
}

describe('the ledger under hostile members', () => {
  it('[22][91] executes any decodable transactions to a block that holds, or refuses the block; never throws', {
    ...FUZZ_TIMEOUT,
  }, () => {
    const outcomes = new Set<string>();
    fuzz(
      120,
      fc.property(fc.array(forged, { minLength: 1, maxLength: 4 }), drawn => {
        for (const transaction of drawn) {
          const fault = checkAdmission(nodeSuite, ledger.state, ledger.height, transaction);
          if (fault !== null) outcomes.add(fault.reject);
        }
        const admitted = drawn.filter(
          transaction => checkAdmission(nodeSuite, ledger.state, ledger.height, transaction) === null,
        );
        const timeMs = ledger.head.header.timeMs + 10;
        const all = executeBlock(nodeSuite, ledger.state, ledger.head, { timeMs, transactions: drawn });
        if (admitted.length < drawn.length)
          expect(isReject(all), 'one inadmissible spoils the block').toBe(true);
        const execution = executeBlock(nodeSuite, ledger.state, ledger.head, {
          timeMs,
          transactions: admitted,
        });
        if (isReject(execution)) return;
        checkExecution(execution, admitted);
        for (const { outcome } of execution.block.entries) outcomes.add(outcomeName(outcome)!);
      }),
    );
    // the generator reaches what it is meant to reach
    expect(outcomes.size).toBeGreaterThan(6);
  });

  it('[30][92] admits no wrapper with changed bytes, unless they are what was signed', {
    ...FUZZ_TIMEOUT,
  }, () => {
    fuzz(
      300,
      fc.property(damaged, transaction => {
        if (isReject(transaction)) return;
        const fault = checkAdmission(nodeSuite, ledger.state, ledger.height, transaction);
        const original = ledger.transactions.get(transaction.id);
        if (fault === null) expect(toHex(transaction.signed.body)).toBe(toHex(original!.signed.body));
      }),
    );
  });
});
