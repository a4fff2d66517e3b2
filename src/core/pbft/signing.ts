import { assertNever } from '../base/assert.ts';
import type { Hash, Sha256 } from '../base/ids.ts';
import { consensusBytes, headerHash, voteBytes } from '../codec/chain.ts';
import { encodeContent } from './message-codec.ts';
import type { MessageContent, NewView } from './messages.ts';

/** The bytes that the signer of a message signs: a tag of its kind, the chain, the set, and the content. */
export function signedBytes(
  sha256: Sha256,
  chainId: Hash,
  validatorSetId: number,
  content: MessageContent,
): Uint8Array {
  switch (content.kind) {
    case 'prePrepare': {
      const { view, newViewDigest, block } = content;
      const blockHash = headerHash(sha256, block.header);
      const { height } = block.header;
      return voteBytes('prePrepare', { chainId, validatorSetId, view, newViewDigest, height, blockHash });
    }
    case 'prepare':
    case 'commit':
      return voteBytes(content.kind, { ...content, chainId, validatorSetId });
    case 'checkpoint':
    case 'viewChange':
    case 'newView':
    case 'status':
    case 'complaint':
      return consensusBytes(content.kind, chainId, validatorSetId, encodeContent(content));
    default:
      return assertNever(content);
  }
}

/** What every vote of a view names, so that votes under different NEW-VIEWs of one view never add up. */
export function newViewDigest(sha256: Sha256, chainId: Hash, validatorSetId: number, newView: NewView): Hash {
  return sha256(signedBytes(sha256, chainId, validatorSetId, newView));
}
