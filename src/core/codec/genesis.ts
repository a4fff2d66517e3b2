import type { Hash, Sha256 } from '../base/ids.ts';
import type { Reject } from '../base/reject.ts';
import { LIMITS } from '../types/limits.ts';
import type { Genesis, Parameters } from '../types/state.ts';
import { readValidator, writeValidator } from './chain.ts';
import { contentCodec, readCard, readMemberId, writeCard } from './content.ts';
import type { Reader } from './reader.ts';
import { tagged } from './tags.ts';
import type { Writer } from './writer.ts';

export function writeParameters(writer: Writer, parameters: Parameters): void {
  writer
    .u64(parameters.blockTransactionsMax)
    .u64(parameters.blockBytesMax)
    .u64(parameters.transactionBytesMax)
    .u64(parameters.replayWindowBlocks)
    .u64(parameters.memberTransactionsPerBlockMax)
    .u64(parameters.memberBytesPerBlockMax)
    .u64(parameters.clockDriftMsMax)
    .u64(parameters.checkpointIntervalBlocks)
    .u64(parameters.windowBlocks)
    .u64(parameters.viewTimeoutMs)
    .u64(parameters.viewTimeoutMsMax)
    .u64(parameters.rotationBlocks);
}

export function readParameters(reader: Reader): Parameters {
  return {
    blockTransactionsMax: reader.u64(),
    blockBytesMax: reader.u64(),
    transactionBytesMax: reader.u64(),
    replayWindowBlocks: reader.u64(),
    memberTransactionsPerBlockMax: reader.u64(),
    memberBytesPerBlockMax: reader.u64(),
    clockDriftMsMax: reader.u64(),
    checkpointIntervalBlocks: reader.u64(),
    windowBlocks: reader.u64(),
    viewTimeoutMs: reader.u64(),
    viewTimeoutMsMax: reader.u64(),
    rotationBlocks: reader.u64(),
  };
}

const codec = contentCodec<Genesis>(
  'genesis',
  (writer, genesis) => {
    writer.text(genesis.name).u64(genesis.timeMs);
    writeParameters(writer, genesis.parameters);
    writer.list(genesis.validators, writeValidator);
    writer.list(genesis.administrators, (out, id) => out.text(id)).u16(genesis.administratorThreshold);
    writer.list(genesis.members, writeCard);
  },
  reader => ({
    name: reader.text(LIMITS.labelBytes),
    timeMs: reader.u64(),
    parameters: readParameters(reader),
    validators: reader.list(LIMITS.validatorsMax, readValidator),
    administrators: reader.list(LIMITS.administratorsMax, readMemberId),
    administratorThreshold: reader.u16(),
    members: reader.list(LIMITS.membersMax, readCard),
  }),
);

export function encodeGenesis(genesis: Genesis): Uint8Array {
  return codec.encode(genesis);
}

export function decodeGenesis(bytes: Uint8Array): Genesis | Reject {
  return codec.decode(bytes);
}

/** The chain's name is the hash of its genesis: another genesis is another chain (SCENARIOS 37, 91). */
export function chainIdOf(sha256: Sha256, genesis: Genesis): Hash {
  return sha256(tagged('genesis', encodeGenesis(genesis)));
}
