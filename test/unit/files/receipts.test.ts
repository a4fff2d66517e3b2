import { expect, it } from 'vitest';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { type Reject, reject } from '../../../src/core/base/reject.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { FileIndex } from '../../../src/services/files/file-index.ts';
import type { FileLedger, FileReceiptEntry } from '../../../src/services/files/ledger.ts';
import { FILES_LIMITS } from '../../../src/services/files/limits.ts';
import { Receipts } from '../../../src/services/files/receipts.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { hashOf } from '../../support/ledger-kit.ts';
import { ManualClock } from './manual-clock.ts';

const phase = hashOf('phase') as PhaseId;
const settled = () => new Promise<void>(resolve => setImmediate(resolve));

async function receiptsOf(...names: readonly string[]) {
  const kv = new MemoryStore();
  await kv.open();
  const index = new FileIndex(kv);
  const setWhole = (cid: string, whole: boolean) =>
    index.setRoot(cid, {
      ...{ whole, phase, keyCommitment: hashOf(cid), ciphertextBytes: 1, sinceMs: 0, charge: null },
    });
  for (const name of names) await setWhole(name, true);
  const submitted: string[][] = [];
  let answer: (refused: Reject | null) => void = () => {};
  const ledger = {
    member: 'bob' as MemberId,
    receipts: () => [],
    submitReceipts: (_: PhaseId, entries: readonly FileReceiptEntry[]) => {
      submitted.push(entries.map(({ cid }) => cid));
      return new Promise<Reject | null>(resolve => {
        answer = resolve;
      });
    },
  } as unknown as FileLedger;
  const clock = new ManualClock();
  const receipts = new Receipts({ index, ledger, clock, logger: silentLogger, limits: FILES_LIMITS });
  const flush = async (afterMs = FILES_LIMITS.receiptDelayMs) => {
    clock.advance(afterMs);
    await settled();
  };
  const settle = async (refused: Reject | null = null) => {
    answer(refused);
    await settled();
  };
  return { receipts, setWhole, submitted, flush, settle };
}

const entryOf = (cid: string): FileReceiptEntry => ({ position: 1, record: hashOf(`record ${cid}`), cid });

it('a file that is whole again while receipts for others are submitted is signed for', async () => {
  const { receipts, setWhole, submitted, flush, settle } = await receiptsOf('a', 'b');
  receipts.add(phase, entryOf('a'));
  receipts.add(phase, entryOf('b'));
  await setWhole('b', false);
  await flush();
  expect(submitted).toEqual([['a']]);
  await setWhole('b', true);
  receipts.add(phase, entryOf('b'));
  await settle();
  await flush();
  expect(submitted).toEqual([['a'], ['b']]);
});

it('is sent again, less and less often, after a refusal that passes, and not after one that stays', async () => {
  const { receipts, submitted, flush, settle } = await receiptsOf('a');
  const { receiptDelayMs, retryMs } = FILES_LIMITS;
  receipts.add(phase, entryOf('a'));
  await flush();
  await settle(reject('memberSuspended', 'bob', 'ignore'));
  await flush(retryMs - 1);
  expect(submitted).toHaveLength(1);
  await flush(1);
  expect(submitted).toHaveLength(2);
  await settle(reject('expired', 'at height 9', 'ignore'));
  await flush(2 * retryMs - 1);
  expect(submitted).toHaveLength(2);
  await flush(1);
  expect(submitted).toEqual([['a'], ['a'], ['a']]);
  await settle(reject('notParticipant', 'bob', 'ignore'));
  await flush(1e9);
  expect(submitted).toHaveLength(3);
  receipts.add(phase, entryOf('a'));
  await flush(receiptDelayMs);
  expect(submitted).toHaveLength(4);
});
