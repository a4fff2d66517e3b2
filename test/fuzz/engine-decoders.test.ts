import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../src/core/base/bytes.ts';
import { ZERO_HASH } from '../../src/core/base/ids.ts';
import { Reader } from '../../src/core/codec/reader.ts';
import { Writer } from '../../src/core/codec/writer.ts';
import {
  decodeMessage,
  encodeContent,
  readPreparedProof,
  readSignedMessage,
  writePreparedProof,
  writeSignedMessage,
} from '../../src/core/pbft/message-codec.ts';
import type { ConsensusMessage, MessageKind } from '../../src/core/pbft/messages.ts';
import { decodeWalRecord, encodeWalMessage, encodeWalRecord } from '../../src/core/pbft/wal-record.ts';
import { encodeWalHead, encodeWalRecords, scanWal, WAL_IDENTITY_BYTES } from '../../src/store/wal-record.ts';
import { EngineWorld } from './engine-world.ts';
import { announce, checkEdges, checkMutants, checkSubjects, FUZZ_TIMEOUT, subject } from './kit.ts';

announce('engine-decoders.test');

const world = new EngineWorld({ n: 4, own: 2, hostile: [0] });
const samples: Record<MessageKind, ConsensusMessage> = {
  prePrepare: world.consortium.proposal(world.chain[1]!),
  prepare: world.consortium.vote(1, 'prepare', world.chain[1]!),
  commit: world.consortium.vote(1, 'commit', world.chain[1]!),
  checkpoint: world.consortium.sign(1, { kind: 'checkpoint', height: 2, blockHash: ZERO_HASH }),
  viewChange: world.viewChange(1, 3),
  newView: world.newView(1),
  status: world.consortium.sign(1, {
    kind: 'status',
    view: 1,
    active: true,
    head: world.head(2, 0),
    acceptedHeight: 3,
    stableHeight: 0,
    reply: false,
  }),
  complaint: world.consortium.sign(1, { kind: 'complaint', view: 1, height: 2, lasting: false, gone: [] }),
};
const signedMessages = Object.values(samples).map(({ signed }) => signed);

function read<T>(name: string, take: (reader: Reader) => T) {
  return (bytes: Uint8Array) => {
    const reader = new Reader(bytes);
    return reader.finish(take(reader), name);
  };
}

function written<T>(write: (writer: Writer, value: T) => void) {
  return (value: T) => {
    const writer = new Writer();
    write(writer, value);
    return writer.finish();
  };
}

const proof = world.prepared(2, 0);
const subjects = [
  ...signedMessages.map(signed =>
    subject(
      signed.kind,
      body => decodeMessage({ ...signed, body }),
      ({ content }) => encodeContent(content),
      [signed.body],
    ),
  ),
  subject(
    'signed message',
    read('signed message', readSignedMessage),
    written(writeSignedMessage),
    signedMessages.map(written(writeSignedMessage)),
  ),
  subject('prepared proof', read('prepared proof', readPreparedProof), written(writePreparedProof), [
    written(writePreparedProof)(proof),
  ]),
  subject('log record', decodeWalRecord, encodeWalRecord, [
    ...signedMessages.map(encodeWalMessage),
    encodeWalRecord({ type: 'block', block: world.chain[0]! }),
    encodeWalRecord({ type: 'prepared', proof }),
    encodeWalRecord({ type: 'stable', validatorSetId: 0, height: 4, blockHash: ZERO_HASH }),
  ]),
];

/** A log file has no second form: its head, its records, and what a crash may have left behind them. */
const logFile = concatBytes(
  encodeWalHead(new Uint8Array(WAL_IDENTITY_BYTES).fill(7)),
  encodeWalRecords(signedMessages.map(encodeWalMessage)),
);
const files = [
  subject(
    'log file',
    scanWal,
    ({ identity, records, validBytes }, bytes) => {
      if (identity === null) return bytes;
      const known = concatBytes(encodeWalHead(identity), encodeWalRecords(records));
      expect(known.length).toBe(validBytes);
      return concatBytes(known, bytes.slice(validBytes));
    },
    [logFile, concatBytes(logFile, new Uint8Array(600)), logFile.slice(0, -9)],
  ),
];

describe('decoders of consensus messages and log records', () => {
  it(
    '[31][32] take their own encodings, and answer arbitrary bytes with a refusal or a value of these bytes',
    {
      ...FUZZ_TIMEOUT,
    },
    () => checkSubjects([...subjects, ...files], 80),
  );

  it('[32] answer changed encodings with a refusal or a value of these bytes', { ...FUZZ_TIMEOUT }, () =>
    checkMutants([...subjects, ...files], 400),
  );

  it(
    '[97] neither wrap nor allocate at lengths and heights of 2^31, 2^32 - 1, 2^53 and 2^64',
    {
      ...FUZZ_TIMEOUT,
    },
    () => checkEdges([...subjects, ...files], 24),
  );
});
