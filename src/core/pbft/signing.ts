import { assertNever } from '../base/assert.ts';
import type { Hash, Sha256 } from '../base/ids.ts';
import { headerHash, type VoteSubject, voteBytes } from '../codec/chain.ts';
import { tagBytes } from '../codec/tags.ts';
import { Writer } from '../codec/writer.ts';
import { encodeContent } from './message-codec.ts';
import type { MessageContent, NewView } from './messages.ts';

/** The proposal's counterpart of `voteBytes`: same fields, its own tag. */
function proposalBytes(subject: VoteSubject): Uint8Array {
  return new Writer()
    .raw(tagBytes('prePrepare'))
    .hash(subject.chainId)
    .u64(subject.validatorSetId)
    .u64(subject.view)
    .hash(subject.newViewDigest)
    .u64(subject.height)
    .hash(subject.blockHash)
    .finish();
}

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
      return proposalBytes({ chainId, validatorSetId, view, newViewDigest, height, blockHash });
    }
    case 'prepare':
    case 'commit':
      return voteBytes(content.kind, { ...content, chainId, validatorSetId });
    case 'checkpoint':
    case 'viewChange':
    case 'newView':
    case 'status':
    case 'complaint':
      return new Writer()
        .raw(tagBytes(content.kind))
        .hash(chainId)
        .u64(validatorSetId)
        .raw(encodeContent(content))
        .finish();
    default:
      return assertNever(content);
  }
}

/** What every vote of a view names, so that votes under different NEW-VIEWs of one view never add up. */
export function newViewDigest(sha256: Sha256, chainId: Hash, validatorSetId: number, newView: NewView): Hash {
  return sha256(signedBytes(sha256, chainId, validatorSetId, newView));
}
