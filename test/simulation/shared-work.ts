import type { Sha256, Suite } from '../../src/core/base/ids.ts';
import type { Reject } from '../../src/core/base/reject.ts';
import { validatorSetHash } from '../../src/core/codec/chain.ts';
import * as transactions from '../../src/core/codec/transaction.ts';
import type { Reign } from '../../src/core/pbft/config.ts';
import * as messages from '../../src/core/pbft/message-codec.ts';
import type { ConsensusMessage, SignedMessage } from '../../src/core/pbft/messages.ts';
import * as verifier from '../../src/core/pbft/verify.ts';
import type { Transaction } from '../../src/core/types/transaction.ts';
import type { WireCodec } from '../../src/wire/codec.ts';
import * as consensusWire from '../../src/wire/consensus.ts';
import * as poolWire from '../../src/wire/pool.ts';
import { remembered, remembering } from './remembering.ts';
import { simulatedSuite } from './suite.ts';

// A frame that goes to all is one object on the simulated wire, so that its receivers work the same out from the same bytes. The bundle
// of `npm run simulate` gives `services/consensus/network.ts`, `services/pool/pool.ts` and the clients these in place of the pure
// functions of the same names, which remember their results for the run; every eighth seed works everything out everywhere. The checker
// works everything out for itself, but for the frame: that is taken from the wire once for all.

export * from '../../src/core/codec/transaction.ts';
export * from '../../src/core/pbft/message-codec.ts';
export * from '../../src/core/pbft/verify.ts';
export * from '../../src/wire/consensus.ts';
export * from '../../src/wire/pool.ts';

const remember = <T>(codec: WireCodec<T>): WireCodec<T> => ({ ...codec, decode: remembered(codec.decode) });

export const consensusMessageCodec = remember(consensusWire.consensusMessageCodec);
export const poolFrameCodec = remember(poolWire.poolFrameCodec);
export const decodeMessage = remembered(messages.decodeMessage);

const decodeOwn = remembered((bytes: Uint8Array) =>
  transactions.decodeTransaction(simulatedSuite.sha256, bytes),
);

export function decodeTransaction(_: Sha256, bytes: Uint8Array): Transaction | Reject {
  return decodeOwn(bytes);
}

/** By all that a reign says: a node that took another set for this one has verdicts of its own. */
const verdicts = new WeakMap<SignedMessage, Map<string, boolean>>();

export function verifyConsensusMessage(suite: Suite, reign: Reign, message: ConsensusMessage): boolean {
  if (!remembering.isOn) return verifier.verifyConsensusMessage(suite, reign, message);
  const known = verdicts.get(message.signed) ?? new Map<string, boolean>();
  verdicts.set(message.signed, known);
  const key = `${reign.startHash}/${reign.startHeight}/${validatorSetHash(suite.sha256, reign.set)}`;
  const verdict = known.get(key) ?? verifier.verifyConsensusMessage(suite, reign, message);
  known.set(key, verdict);
  return verdict;
}
