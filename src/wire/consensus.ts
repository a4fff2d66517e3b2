import { hashBytes, toHex } from '../core/base/bytes.ts';
import type { BlockHash } from '../core/base/ids.ts';
import { isReject, type Reject, reject } from '../core/base/reject.ts';
import { decodeBlock, encodeBlock } from '../core/codec/chain.ts';
import { ENGINE_LIMITS } from '../core/pbft/config.ts';
import { messageKind } from '../core/pbft/message-codec.ts';
import { MESSAGE_KINDS, type SignedMessage } from '../core/pbft/messages.ts';
import type { Block } from '../core/types/chain.ts';
import { LIMITS, SIZES } from '../core/types/limits.ts';
import { fromLong, ownBytes, toLong, wireCodec } from './codec.ts';
import { phaseline } from './generated/messages.js';

function toWire(message: SignedMessage): phaseline.ConsensusMessage.$Properties {
  const { validatorSetId, signer, body, signature } = message;
  return {
    kind: MESSAGE_KINDS[message.kind],
    validatorSetId: toLong(validatorSetId),
    signer,
    body,
    signature,
  };
}

function fromWire(wire: phaseline.ConsensusMessage.$Properties): SignedMessage | Reject {
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
}

export const consensusMessageCodec = wireCodec(
  'consensus message',
  phaseline.ConsensusMessage,
  toWire,
  fromWire,
);

export interface BlockFetch {
  readonly blockHash: BlockHash;
  readonly height: number;
}

/** For the NEW-VIEW of a view above `view`. */
export interface NewViewFetch {
  readonly validatorSetId: number;
  readonly view: number;
}

export type ConsensusRequest =
  | ({ readonly type: 'block' } & BlockFetch)
  | ({ readonly type: 'newView' } & NewViewFetch);

export const consensusRequestCodec = wireCodec<phaseline.ConsensusRequest.$Properties, ConsensusRequest>(
  'consensus request',
  phaseline.ConsensusRequest,
  request =>
    request.type === 'block'
      ? { block: { blockHash: hashBytes(request.blockHash), height: toLong(request.height) } }
      : { newView: { validatorSetId: toLong(request.validatorSetId), view: toLong(request.view) } },
  ({ block, newView }) => {
    if (block != null) {
      const height = fromLong(block.height);
      if (height === null || block.blockHash?.length !== SIZES.hash) {
        return reject('undecodable', 'consensus request: hash or height out of range');
      }
      return { type: 'block', blockHash: toHex(block.blockHash) as BlockHash, height };
    }
    const validatorSetId = fromLong(newView?.validatorSetId);
    const view = fromLong(newView?.view);
    if (newView == null || validatorSetId === null || view === null) {
      return reject('undecodable', 'consensus request: neither a block nor a view');
    }
    return { type: 'newView', validatorSetId, view };
  },
);

/** Null: the peer has none. */
export const newViewFetchedCodec = wireCodec<
  phaseline.NewViewFetched.$Properties,
  { newView: SignedMessage | null }
>(
  'new view fetched',
  phaseline.NewViewFetched,
  ({ newView }) => (newView === null ? {} : { newView: toWire(newView) }),
  ({ newView }) => {
    if (newView == null) return { newView: null };
    const signed = fromWire(newView);
    return isReject(signed) ? signed : { newView: signed };
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
