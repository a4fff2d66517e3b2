import { hashBytes, toHex } from '../core/base/bytes.ts';
import type { BlockHash } from '../core/base/ids.ts';
import { isReject, reject } from '../core/base/reject.ts';
import { decodeBlock, encodeBlock } from '../core/codec/chain.ts';
import { ENGINE_LIMITS } from '../core/pbft/config.ts';
import { messageKind } from '../core/pbft/message-codec.ts';
import { MESSAGE_KINDS, type SignedMessage } from '../core/pbft/messages.ts';
import type { Block } from '../core/types/chain.ts';
import { LIMITS, SIZES } from '../core/types/limits.ts';
import { fromLong, ownBytes, toLong, wireCodec } from './codec.ts';
import { phaseline } from './generated/messages.js';

export const consensusMessageCodec = wireCodec<phaseline.ConsensusMessage.$Properties, SignedMessage>(
  'consensus message',
  phaseline.ConsensusMessage,
  message => ({
    kind: MESSAGE_KINDS[message.kind],
    validatorSetId: toLong(message.validatorSetId),
    signer: message.signer,
    body: message.body,
    signature: message.signature,
  }),
  wire => {
    const kind = messageKind(wire.kind ?? 0);
    const validatorSetId = fromLong(wire.validatorSetId);
    const body = ownBytes(wire.body);
    const signature = ownBytes(wire.signature);
    const signer = wire.signer ?? 0;
    if (kind === null || validatorSetId === null || signer >= LIMITS.validatorsMax) {
      return reject('undecodable', 'consensus message: kind, set id or signer out of range');
    }
    if (signature.length !== SIZES.signature || body.length > ENGINE_LIMITS.messageBodyBytes) {
      return reject('undecodable', 'consensus message: wrong length');
    }
    return { kind, validatorSetId, signer, body, signature };
  },
);

export interface BlockFetch {
  readonly blockHash: BlockHash;
  readonly height: number;
}

export const blockFetchCodec = wireCodec<phaseline.BlockFetch.$Properties, BlockFetch>(
  'block fetch',
  phaseline.BlockFetch,
  ({ blockHash, height }) => ({ blockHash: hashBytes(blockHash), height: toLong(height) }),
  wire => {
    const height = fromLong(wire.height);
    if (height === null || wire.blockHash?.length !== SIZES.hash) {
      return reject('undecodable', 'block fetch: hash or height out of range');
    }
    return { blockHash: toHex(wire.blockHash) as BlockHash, height };
  },
);

/** Null: the peer does not have the block. */
export const blockFetchedCodec = wireCodec<phaseline.BlockFetched.$Properties, { block: Block | null }>(
  'block fetched',
  phaseline.BlockFetched,
  ({ block }) => ({ block: block === null ? new Uint8Array(0) : encodeBlock(block) }),
  wire => {
    if ((wire.block?.length ?? 0) === 0) return { block: null };
    const block = decodeBlock(ownBytes(wire.block));
    return isReject(block) ? block : { block };
  },
);
