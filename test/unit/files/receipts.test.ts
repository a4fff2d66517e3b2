import { expect, it } from 'vitest';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
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
  let answer: () => void = () => {};
  const ledger = {
    member: 'bob' as MemberId,
    receipts: () => [],
    submitReceipts: (_: PhaseId, entries: readonly FileReceiptEntry[]) => {
      submitted.push(entries.map(({ cid }) => cid));
      return new Promise<null>(resolve => {
        answer = () => resolve(null);
      });
    },
  } as unknown as FileLedger;
  const clock = new ManualClock();
  const receipts = new Receipts({ index, ledger, clock, logger: silentLogger, limits: FILES_LIMITS });
  const flush = async () => {
    clock.advance(FILES_LIMITS.receiptDelayMs);
    await settled();
  };
  return { receipts, setWhole, submitted, flush, answer: () => answer() };
}

const entryOf = (cid: string): FileReceiptEntry => ({ position: 1, record: hashOf(`record ${cid}`), cid });

it('a file that is whole again while receipts for others are submitted is signed for', async () => {
  const { receipts, setWhole, submitted, flush, answer } = await receiptsOf('a', 'b');
  receipts.add(phase, entryOf('a'));
  receipts.add(phase, entryOf('b'));
  await setWhole('b', false);
  await flush();
  expect(submitted).toEqual([['a']]);
  await setWhole('b', true);
  receipts.add(phase, entryOf('b'));
  answer();
  await settled();
  await flush();
  expect(submitted).toEqual([['a'], ['b']]);
});
