import { type Reject, reject } from '../base/reject.ts';
import { ENGINE_LIMITS } from '../pbft/config.ts';
import { LIMITS, SIZES } from '../types/limits.ts';
import type { Parameters } from '../types/state.ts';

const MEBIBYTE = 1024 * 1024;
const HOUR_MS = 3_600_000;

/** The largest value of each parameter. One rule for the genesis file and for the ledger. */
export const PARAMETER_MAX: Parameters = {
  blockTransactionsMax: LIMITS.blockEntries,
  blockBytesMax: 64 * MEBIBYTE,
  transactionBytesMax: LIMITS.transactionBytes,
  replayWindowBlocks: 10_000_000,
  memberTransactionsPerBlockMax: LIMITS.blockEntries,
  memberBytesPerBlockMax: 64 * MEBIBYTE,
  clockDriftMsMax: HOUR_MS,
  checkpointIntervalBlocks: ENGINE_LIMITS.windowBlocksMax / 2,
  windowBlocks: ENGINE_LIMITS.windowBlocksMax,
  viewTimeoutMs: HOUR_MS,
  viewTimeoutMsMax: HOUR_MS,
  rotationBlocks: 1_000_000_000,
};

/** `rotationBlocks` is off at 0; everything else is at least 1. */
function parameterMin(name: keyof Parameters): number {
  return name === 'rotationBlocks' ? 0 : 1;
}

/** Encoded sizes, in bytes (docs/PROTOCOL.md, structures). */
const HEADER_BYTES = 2 + 6 * SIZES.hash + 4 * 8;
const SIGNED_MESSAGE_BYTES = 1 + 8 + 2 + 4 + SIZES.signature;

function certificateBytes(validators: number): number {
  return 3 * 8 + 2 * SIZES.hash + 4 + validators * (2 + SIZES.signature);
}

/** Body of the largest VIEW-CHANGE: a shown head, and a prepared certificate of all validators at each height. */
function viewChangeBytesMax(validators: number, windowBlocks: number): number {
  const proof = HEADER_BYTES + certificateBytes(validators);
  return 8 + (proof + 1) + 4 + windowBlocks * proof;
}

/** Body of the largest NEW-VIEW: the VIEW-CHANGE of every validator, and a hash for each height. */
export function newViewBytesMax(validators: number, windowBlocks: number): number {
  const viewChange = SIGNED_MESSAGE_BYTES + viewChangeBytesMax(validators, windowBlocks);
  return 8 + 4 + validators * viewChange + 4 + windowBlocks * SIZES.hash;
}

/** @param validators number of validators that decide under these parameters */
export function checkParameters(parameters: Parameters, validators: number): Reject | null {
  for (const [name, max] of Object.entries(PARAMETER_MAX) as [keyof Parameters, number][]) {
    const value = parameters[name];
    const min = parameterMin(name);
    if (!Number.isSafeInteger(value) || value < min || value > max) {
      return reject('bad_genesis', `${name} is ${value}; it is a number from ${min} to ${max}`);
    }
  }
  const { transactionBytesMax, blockBytesMax, memberBytesPerBlockMax, windowBlocks } = parameters;
  if (transactionBytesMax > Math.min(blockBytesMax, memberBytesPerBlockMax)) {
    return reject('bad_genesis', 'a transaction of transactionBytesMax fits no block');
  }
  if (windowBlocks < 2 * parameters.checkpointIntervalBlocks) {
    return reject('bad_genesis', 'windowBlocks is not at least twice checkpointIntervalBlocks');
  }
  if (newViewBytesMax(validators, windowBlocks) > ENGINE_LIMITS.messageBodyBytes) {
    const detail = `a view change with windowBlocks ${windowBlocks} and ${validators} validators fits no message`;
    return reject('bad_genesis', `${detail}; windowBlocks may be ${windowBlocksMax(validators)} at most`);
  }
  return null;
}

/** Blocks in flight that a NEW-VIEW of so many validators can name. */
export function windowBlocksMax(validators: number): number {
  let blocks: number = ENGINE_LIMITS.windowBlocksMax;
  while (blocks > 0 && newViewBytesMax(validators, blocks) > ENGINE_LIMITS.messageBodyBytes) blocks -= 1;
  return blocks;
}
