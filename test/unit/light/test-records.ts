import { sourcePlaceOf } from '../../../src/core/access/handover-item.ts';
import { hashBytes, utf8 } from '../../../src/core/base/bytes.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { signTransactions } from '../../../src/core/codec/build.ts';
import { handoverItemHash } from '../../../src/core/codec/handover.ts';
import {
  decodeHandoverItems,
  encodeHandoverItems,
  encodePhaseHandoverSource,
  encodePhaseHandoverTarget,
  encodeRecordMeta,
} from '../../../src/core/codec/operation.ts';
import { decodeSignedTransaction } from '../../../src/core/codec/transaction.ts';
import { fieldsRoot } from '../../../src/core/light/fields.ts';
import type { HandoverItem } from '../../../src/core/types/operation.ts';
import { fieldSalts } from '../../../src/crypto/field-salt.ts';
import { keyCommitment } from '../../../src/crypto/phase-keys.ts';
import { sealPayload } from '../../../src/crypto/record-cipher.ts';
import { hashOf, ok, sha256, signerOf, type TestChain, type TestLog } from './test-chain.ts';

export const CID = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
export const contentKey = new Uint8Array(32).fill(3);
export const plaintext = utf8('{"note":"goods received"}');

/** Fields of every record that `addRecord` writes. */
export const fields = [
  { name: 'title', value: '"Delivery"' },
  { name: 'data', value: '{"text":"secret"}' },
  { name: 'data.amount', value: '42' },
];
export const saltOf = fieldSalts(contentKey);
const sampleFieldsRoot = fieldsRoot(sha256, fields, saltOf);

/** Appends a record of `sender`, sealed with the content key, and answers its position. */
export function addRecord(
  chain: TestChain,
  log: TestLog,
  sender: string,
  keyName: string,
  keyId: number,
): number {
  const commitment = keyCommitment(contentKey);
  const meta = encodeRecordMeta({
    epoch: 1,
    wrappedKey: { mode: 'epoch', bytes: new Uint8Array(60) },
    keyCommitment: commitment,
    fieldsRoot: sampleFieldsRoot,
    files: [{ cid: CID, ciphertextBytes: 4096, keyCommitment: hashOf('file key') }],
    references: [],
  });
  const sealed = sealPayload(
    contentKey,
    { logId: log.logId, epoch: 1, keyCommitment: commitment },
    plaintext,
  );
  const built = chain.build(
    sender,
    keyId,
    'recordPut',
    [log],
    [
      [0, meta],
      [0, sealed],
    ],
  );
  chain.seal(signTransactions(sha256, signerOf(keyName), [built]));
  return log.items.length - 1;
}

/** An item for the record at `position`, or for the one that the handover there has brought. */
function itemAt(from: TestLog, position: number): HandoverItem {
  const { leaf, transaction } = from.items[position]!;
  const signed = ok(decodeSignedTransaction(transaction));
  const { body, signature, batch } = signed;
  const [first, second, third = null] = signed.parts;
  const salt = hashBytes(hashOf(`salt of the item at ${position}`));
  if (third !== null) {
    const [received] = ok(decodeHandoverItems(third.content));
    const { steps } = ok(sourcePlaceOf(sha256, received!));
    const proof = { leaf, body, target: second!, item: 0, salt: received!.salt, path: [], steps };
    return { ...received!, position, relay: proof, salt };
  }
  const wrappedKey = { mode: 'epoch', bytes: new Uint8Array(60) } as const;
  const record = { leaf, body, signature, batch, meta: first!, payload: second!, wrappedKey };
  return { ...record, position, relay: null, salt };
}

/** Hands the record at `position` of one phase to another. */
export function handOver(
  chain: TestChain,
  from: TestLog,
  to: TestLog,
  position: number,
  change: (item: HandoverItem) => HandoverItem = item => item,
): number {
  const item = change(itemAt(from, position));
  const place = sourcePlaceOf(sha256, item);
  const steps = isReject(place) ? [] : place.steps;
  const itemsRoot = handoverItemHash(sha256, item.salt, item, steps);
  const source = encodePhaseHandoverSource({ phase: from.id, target: to.id, records: [] });
  const target = { phase: to.id, source: from.id, epoch: 1, itemCount: 1, itemsRoot };
  const built = chain.build(
    'alice',
    0,
    'phaseHandover',
    [from, to],
    [
      [0, source],
      [1, encodePhaseHandoverTarget(target)],
      [1, encodeHandoverItems([item])],
    ],
  );
  chain.seal(signTransactions(sha256, signerOf('alice'), [built]));
  return to.items.length - 1;
}
