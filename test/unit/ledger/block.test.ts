import { describe, expect, it } from 'vitest';
import type { Hash } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { signTransactions } from '../../../src/core/codec/build.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import { decodeTransaction, encodeSignedTransaction } from '../../../src/core/codec/transaction.ts';
import { checkAdmission } from '../../../src/core/ledger/admission.ts';
import {
  buildBlock,
  type Execution,
  executeBlock,
  selectTransactions,
} from '../../../src/core/ledger/execute.ts';
import { overlayView } from '../../../src/core/ledger/overlay.ts';
import { readChainId } from '../../../src/core/ledger/read.ts';
import { createTransactionVerifier, verifyTransactionSignature } from '../../../src/core/ledger/signature.ts';
import type { Transaction } from '../../../src/core/types/transaction.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { Actions } from '../../support/ledger-actions.ts';
import { hashOf, TestLedger } from '../../support/ledger-kit.ts';
import { alice, bob, carol, consortium, dave, INTAKE, PROJECT, REVIEW, runningProject } from './fixture.ts';

function valid(result: ReturnType<typeof executeBlock>): Execution {
  if (isReject(result)) throw new Error(`${result.reject}: ${result.detail}`);
  return result;
}

function rejects(result: ReturnType<typeof executeBlock>): string | null {
  return isReject(result) ? result.reject : null;
}

describe('block validity', () => {
  it('links blocks, and rejects time that stands still or runs back, and empty blocks', () => {
    const { ledger, act } = consortium();
    const transaction = act.createProject(alice, PROJECT);
    const { header, hash } = ledger.head;
    expect(rejects(ledger.execute([transaction], header.timeMs))).toBe('bad_time');
    expect(rejects(ledger.execute([transaction], header.timeMs - 1))).toBe('bad_time');
    expect(rejects(ledger.execute([transaction], Number.NaN))).toBe('bad_time');
    expect(rejects(ledger.execute([]))).toBe('empty_block');
    const { block, hash: next } = valid(ledger.execute([transaction], header.timeMs + 1));
    expect(block.header).toMatchObject({ height: 1, parentHash: hash, timeMs: header.timeMs + 1 });
    expect(headerHash(nodeSuite.sha256, block.header)).toBe(next);
  });

  it('[26] [73] rejects an id that is twice in the block or in one before, committed or refused', () => {
    const { ledger, act } = consortium();
    const [good, refused] = [act.createProject(alice, PROJECT), act.archive(bob, PROJECT, 0)];
    expect(rejects(ledger.execute([good, good]))).toBe('duplicate');
    expect(ledger.commit(good, refused)).toEqual(['committed', 'notOwner']);
    expect(rejects(ledger.execute([good]))).toBe('duplicate');
    expect(rejects(ledger.execute([refused]))).toBe('duplicate');
    expect(checkAdmission(nodeSuite, ledger.state, ledger.height, good)).toMatchObject({
      reject: 'duplicate',
    });
  });

  it('a bad wrapper never taints an id', () => {
    const { ledger, act } = consortium();
    const good = act.createProject(alice, PROJECT);
    const bad: Transaction = { ...good, signed: { ...good.signed, signature: new Uint8Array(64) } };
    expect(rejects(ledger.execute([bad]))).toBe('bad_signature');
    expect(ledger.commit(good)).toEqual(['committed']);
  });

  it('[91] rejects expired, too early and foreign transactions, and unknown senders and keys', () => {
    const { ledger, act } = consortium({ replayWindowBlocks: 10 });
    const put = (options: object) => act.put(alice, INTAKE, 'x', 0, options);
    expect(rejects(ledger.execute([put({ lastValidHeight: 0 })]))).toBe('expired');
    expect(rejects(ledger.execute([put({ lastValidHeight: 11 })]))).toBe('too_far_ahead');
    expect(ledger.commit(put({ lastValidHeight: 1 }), put({ lastValidHeight: 10 }))).toHaveLength(2);
    const near = { lastValidHeight: 5 };
    expect(rejects(ledger.execute([put({ ...near, chainId: hashOf('other') })]))).toBe('wrong_chain');
    expect(rejects(ledger.execute([put({ ...near, keyId: 1 })]))).toBe('unknown_key');
    expect(rejects(ledger.execute([put({ ...near, signer: bob.signer })]))).toBe('bad_signature');
    const stranger = { ...alice, id: 'zoe' as typeof alice.id };
    expect(rejects(ledger.execute([act.put(stranger, INTAKE, 'x', 0, near)]))).toBe('unknown_sender');
  });

  it('rejects a transaction without all its parts: its outcome would depend on who holds them', () => {
    const { ledger, act } = consortium();
    const whole = act.createProject(alice, PROJECT);
    const bytes = encodeSignedTransaction({ ...whole.signed, parts: [null] });
    const partial = decodeTransaction(nodeSuite.sha256, bytes);
    if (isReject(partial)) throw new Error(partial.detail);
    expect(partial.id).toBe(whole.id);
    expect(rejects(ledger.execute([partial]))).toBe('parts_missing');
  });

  it('holds blocks and members to their quotas', () => {
    const { ledger, act } = consortium({ blockTransactionsMax: 3, memberTransactionsPerBlockMax: 2 });
    const [a, b, c, d, e] = [alice, alice, alice, bob, carol].map((actor, index) =>
      act.createProject(actor, hashOf(`project ${index}`)),
    );
    expect(rejects(ledger.execute([a!, b!, c!]))).toBe('member_quota');
    expect(rejects(ledger.execute([a!, b!, d!, e!]))).toBe('block_full');
    expect(ledger.commit(a!, b!, d!)).toHaveLength(3);
  });

  it('holds transactions, members and blocks to their bytes', () => {
    const limits = { transactionBytesMax: 1000, memberBytesPerBlockMax: 1500, blockBytesMax: 2000 };
    const { ledger, act } = consortium(limits);
    const put = (actor: typeof alice, length: number) => act.put(actor, INTAKE, 'x'.repeat(length));
    expect(rejects(ledger.execute([put(alice, 1000)]))).toBe('transaction_too_large');
    expect(rejects(ledger.execute([put(alice, 450), put(alice, 450)]))).toBe('member_quota');
    const three = [put(alice, 450), put(bob, 450), put(carol, 450)];
    expect(rejects(ledger.execute(three))).toBe('block_full');
    expect(ledger.commit(three[0]!, three[1]!)).toHaveLength(2);
  });
});

describe('building a block', () => {
  it('[72] leaves out what is not admissible, says why, and keeps what may come later', () => {
    const { ledger, act } = consortium({ memberTransactionsPerBlockMax: 1, replayWindowBlocks: 10 });
    const options = { lastValidHeight: 5 };
    const good = act.put(alice, INTAKE, 'a', 0, options);
    const second = act.put(alice, INTAKE, 'b', 0, options);
    const forged = act.put(bob, INTAKE, 'c', 0, { ...options, signer: carol.signer });
    const early = act.put(bob, INTAKE, 'd', 0, { lastValidHeight: 20 });
    const expired = act.put(bob, INTAKE, 'e', 0, { lastValidHeight: 0 });
    const last = act.put(carol, INTAKE, 'f', 0, options);
    const candidates = [forged, good, second, early, expired, good, last];
    const built = buildBlock(nodeSuite, ledger.state, ledger.head, { timeMs: 2000, candidates });
    expect(built.transactions).toEqual([good, last]);
    expect(built.skipped.map(entry => [entry.reason.reject, entry.final])).toEqual([
      ['bad_signature', true],
      ['member_quota', false],
      ['too_far_ahead', false],
      ['expired', true],
      ['duplicate', true],
    ]);
    const again = valid(ledger.execute([good, last], 2000));
    expect(built.execution?.hash).toBe(again.hash);
  });

  it('gives no block when nothing is admissible, and a selection without execution', () => {
    const { ledger, act } = consortium();
    const forged = act.createProject(alice, PROJECT);
    const candidates = [{ ...forged, signed: { ...forged.signed, signature: new Uint8Array(64) } }];
    const built = buildBlock(nodeSuite, ledger.state, ledger.head, { timeMs: 2000, candidates });
    expect(built).toMatchObject({ execution: null, transactions: [] });
    expect(selectTransactions(nodeSuite, ledger.state, ledger.head, [forged]).transactions).toEqual([forged]);
  });

  it('takes the verdict on signatures from the shell when it brings one', () => {
    const { ledger, act } = consortium();
    const transaction = act.createProject(alice, PROJECT);
    const asked: string[] = [];
    const input = { timeMs: 2000, transactions: [transaction] };
    const verify = (candidate: Transaction, publicKey: Uint8Array) => {
      expect(publicKey).toEqual(alice.card.signingKey);
      asked.push(candidate.id);
      return false;
    };
    expect(rejects(executeBlock(nodeSuite, ledger.state, ledger.head, input, { verify }))).toBe(
      'bad_signature',
    );
    expect(asked).toEqual([transaction.id]);
  });
});

describe('strangers', () => {
  it('cannot write a leaf into a log that they do not belong to', () => {
    const { ledger, act } = runningProject();
    const before = ledger.leavesOf('phase', INTAKE).length;
    const outcomes = ledger.commit(
      act.put(dave, INTAKE, 'spam'),
      act.close(dave, INTAKE),
      act.archive(dave, PROJECT),
      act.put(dave, INTAKE, 'spam', 0, { parts: [] }),
      act.handover(dave, INTAKE, REVIEW, [0]),
    );
    expect(outcomes).toEqual(['notParticipant', 'notParticipant', 'notOwner', 'malformed', 'notParticipant']);
    expect(ledger.leavesOf('phase', INTAKE)).toHaveLength(before);
    expect(ledger.leavesOf('project', PROJECT)).toHaveLength(3);
    expect(ledger.blocks.at(-1)?.block.entries).toHaveLength(5);
  });

  it('a part that its kind gives to another scope makes the transaction malformed', () => {
    const { ledger, act } = runningProject();
    const correct = act.handover(alice, INTAKE, REVIEW, [0]);
    const contents = correct.signed.parts.map(part => part!.content);
    const scopes = correct.body.scopes;
    const parts = contents.map(content => ({ scope: 0, content }));
    const source = { phase: INTAKE, target: REVIEW, records: [] };
    const target = { phase: REVIEW, source: INTAKE, epoch: 0, itemCount: 0, itemsRoot: hashOf('none') };
    const moved = ledger.make(alice, 'phaseHandover', scopes, [source, target, []], { parts });
    expect(moved.body.parts.map(part => part.scope)).toEqual([0, 0, 0]);
    expect(ledger.commit(moved)).toEqual(['malformed']);
    expect(ledger.commit(correct)).toEqual(['unknownRecord']);
  });

  it('a participant of one phase leaves its refusal there, and not in another one that it names', () => {
    const { ledger, act } = runningProject();
    const sizes = [INTAKE, REVIEW].map(id => ledger.leavesOf('phase', id).length);
    const scopes = [ledger.logId('phase', INTAKE), ledger.logId('phase', REVIEW)];
    expect(ledger.commit(act.put(bob, INTAKE, 'x', 0, { scopes }))).toEqual(['wrongScopes']);
    expect(ledger.leavesOf('phase', INTAKE)).toHaveLength(sizes[0]! + 1);
    expect(ledger.leavesOf('phase', REVIEW)).toHaveLength(sizes[1]!);
  });
});

/** The same blocks, executed again by another node. */
function twinOf(ledger: TestLedger): TestLedger {
  const twin = new TestLedger(ledger.genesis);
  for (const { block } of ledger.blocks.slice(1)) {
    const transactions = block.entries.map(entry => ledger.transactions.get(entry.id)!);
    twin.keep(valid(twin.execute(transactions, block.header.timeMs)));
  }
  return twin;
}

describe('determinism', () => {
  it('one block on two equal states gives one hash and one diff', () => {
    const { ledger, act } = runningProject();
    const twin = twinOf(ledger);
    expect(twin.head).toEqual(ledger.head);
    const transactions = [
      act.put(bob, INTAKE, 'a'),
      act.rotateEpoch(carol, INTAKE),
      act.put(bob, INTAKE, 'b'),
    ];
    const first = valid(ledger.execute(transactions, 9000));
    const second = valid(twin.execute(transactions, 9000));
    expect(second).toEqual(first);
    expect(valid(ledger.execute([...transactions].reverse(), 9000)).hash).not.toBe(first.hash);
  });

  it('executing on overlays equals executing on the applied state', () => {
    const { ledger, act } = runningProject();
    const base = runningProject().ledger.state;
    const executions: Execution[] = [];
    const blocks = [
      () => [act.put(bob, INTAKE, 'a'), act.addParticipant(alice, INTAKE, dave.id, 2)],
      () => [
        act.put(dave, INTAKE, 'b'),
        act.receipt(bob, INTAKE, ledger.leavesOf('phase', INTAKE).length - 2),
      ],
      () => [act.removeParticipant(alice, INTAKE, bob.id), act.close(alice, INTAKE)],
    ];
    for (const transactions of blocks) {
      const block = { timeMs: ledger.head.header.timeMs + 7, transactions: transactions() };
      const view = overlayView(
        base,
        executions.map(entry => entry.diff),
      );
      const onOverlay = valid(executeBlock(nodeSuite, view, ledger.head, block));
      const applied = valid(executeBlock(nodeSuite, ledger.state, ledger.head, block));
      expect(onOverlay).toEqual(applied);
      expect(applied.block.entries.every(entry => entry.outcome === 0)).toBe(true);
      expect(
        rejects(
          executeBlock(nodeSuite, overlayView(view, [onOverlay.diff]), onOverlayHead(onOverlay), block),
        ),
      ).toBe('bad_time');
      executions.push(applied);
      ledger.keep(applied);
    }
    const view = overlayView(
      base,
      executions.map(entry => entry.diff),
    );
    expect(view.seen(executions[1]!.diff.ids[0]!)).toBe(executions[1]!.diff.height);
    expect(view.seen(hashOf('never'))).toBeNull();
    expect(view.get('none')).toBeNull();
  });

  it('another genesis is another chain', () => {
    const { ledger } = consortium();
    const other = new TestLedger({ ...ledger.genesis, timeMs: 1001 });
    expect(other.chainId).not.toBe(ledger.chainId);
    expect(readChainId(ledger.state)).toBe(ledger.chainId);
    expect(new Actions(other).createProject(alice, PROJECT).id).not.toBe(
      new Actions(ledger).createProject(alice, PROJECT).id,
    );
  });
});

function onOverlayHead({ block, hash }: Execution) {
  return { header: block.header, hash };
}

describe('batch signatures', () => {
  function batchOf(size: number) {
    const { ledger } = consortium();
    const built = Array.from({ length: size }, (_, index) => {
      const project = hashOf(`project ${index}`);
      return ledger.build(
        alice,
        'projectCreate',
        [ledger.logId('project', project)],
        [{ project, card: new Uint8Array(90) }],
      );
    });
    const signed = signTransactions(nodeSuite.sha256, alice.signer, built);
    return { ledger, transactions: signed.map(entry => ledger.decode(entry)) };
  }

  it.each([1, 2, 3, 5, 31, 64])('each of %i transactions of one signature stands alone', size => {
    const { ledger, transactions } = batchOf(size);
    for (const transaction of transactions) {
      expect(checkAdmission(nodeSuite, ledger.state, 0, transaction)).toBeNull();
    }
    expect(ledger.commit(...transactions)).toHaveLength(size);
  });

  it('[92] a path too short, too long, for another index or tree size is refused', () => {
    const { transactions } = batchOf(5);
    const key = alice.card.signingKey;
    const [, transaction, other] = transactions;
    const { batch } = transaction!.signed;
    const changed: (typeof batch)[] = [
      { ...batch, path: batch.path.slice(1) },
      { ...batch, path: batch.path.slice(0, -1) },
      { ...batch, path: [...batch.path, hashOf('more')] },
      { ...batch, path: [hashOf('other') as Hash, ...batch.path.slice(1)] },
      { ...batch, index: 2 },
      { ...batch, index: 5 },
      { ...batch, treeSize: 6 },
      { ...batch, treeSize: 0, index: 0, path: [] },
      { ...batch, treeSize: 65 },
      { treeSize: 1, index: 0, path: [] },
      other!.signed.batch,
    ];
    for (const path of changed) {
      const forged = { ...transaction!, signed: { ...transaction!.signed, batch: path } };
      expect(verifyTransactionSignature(nodeSuite, forged, key)).toBe(false);
    }
    expect(verifyTransactionSignature(nodeSuite, transaction!, key)).toBe(true);
    expect(verifyTransactionSignature(nodeSuite, transaction!, bob.card.signingKey)).toBe(false);
    const otherKey = { ...transaction!, body: { ...transaction!.body, keyId: 1 } };
    expect(verifyTransactionSignature(nodeSuite, otherKey, key)).toBe(false);
  });

  it('a remembering verifier checks one signature a batch, and gives the same verdicts', () => {
    const { transactions } = batchOf(64);
    let verifications = 0;
    const counting = {
      ...nodeSuite,
      verify: (...parts: Parameters<typeof nodeSuite.verify>) => {
        verifications += 1;
        return nodeSuite.verify(...parts);
      },
    };
    const verify = createTransactionVerifier(counting, 8);
    const key = alice.card.signingKey;
    expect(transactions.every(transaction => verify(transaction, key))).toBe(true);
    expect(verifications).toBe(1);
    expect(verify(transactions[0]!, bob.card.signingKey)).toBe(false);
    const { signed } = transactions[0]!;
    const zero = { ...transactions[0]!, signed: { ...signed, signature: new Uint8Array(64) } };
    expect(verify(zero, key)).toBe(false);
  });
});
