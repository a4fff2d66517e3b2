import { assertNever } from '../base/assert.ts';
import type { Suite } from '../base/ids.ts';
import { isReject } from '../base/reject.ts';
import { encodeBlockEntryLeaf, headerHash, type VoteTag, voteBytes } from '../codec/chain.ts';
import { leafHash, treeRoot } from '../merkle/log.ts';
import { primaryIndex, quorumSize } from '../quorum/quorum.ts';
import type { Block, Certificate, Header } from '../types/chain.ts';
import { ENGINE_LIMITS, type Reign } from './config.ts';
import { decodeMessage } from './message-codec.ts';
import type {
  ConsensusMessage,
  NewView,
  PrePrepare,
  PreparedProof,
  ShownHead,
  SignedMessage,
  ViewChange,
} from './messages.ts';
import { chooseWindow } from './new-view-window.ts';
import { signedBytes } from './signing.ts';

/** The header's `transactionsRoot` is the tree over exactly these entries. */
export function verifyBlockEntries(suite: Suite, block: Block): boolean {
  const leaves = block.entries.map(entry => leafHash(suite.sha256, encodeBlockEntryLeaf(entry)));
  return treeRoot(suite.sha256, leaves) === block.header.transactionsRoot;
}

/** A quorum of signers of the reign's set, strictly ascending, each over exactly the vote's bytes (SCENARIOS 75). */
export function verifyVoteCertificate(
  suite: Suite,
  reign: Reign,
  tag: VoteTag,
  certificate: Certificate,
): boolean {
  const { validators, id } = reign.set;
  if (certificate.validatorSetId !== id) return false;
  if (certificate.signatures.length < quorumSize(validators.length)) return false;
  const bytes = voteBytes(tag, { ...certificate, chainId: reign.chainId });
  let previous = -1;
  for (const { signer, signature } of certificate.signatures) {
    const validator = validators[signer];
    if (validator === undefined || signer <= previous) return false;
    if (!suite.verify(validator.publicKey, bytes, signature)) return false;
    previous = signer;
  }
  return true;
}

function certifiesHeader(
  suite: Suite,
  reign: Reign,
  tag: VoteTag,
  header: Header,
  certificate: Certificate,
): boolean {
  return (
    header.chainId === reign.chainId &&
    header.validatorSetId === reign.set.id &&
    header.height === certificate.height &&
    header.height > reign.startHeight &&
    headerHash(suite.sha256, header) === certificate.blockHash &&
    verifyVoteCertificate(suite, reign, tag, certificate)
  );
}

/** The reign's start needs no certificate here: every member of the set holds it as committed. */
export function verifyShownHead(suite: Suite, reign: Reign, head: ShownHead): boolean {
  if (head.certificate !== null)
    return certifiesHeader(suite, reign, 'commit', head.header, head.certificate);
  return (
    head.header.height === reign.startHeight && headerHash(suite.sha256, head.header) === reign.startHash
  );
}

function verifyPrepared(
  suite: Suite,
  reign: Reign,
  viewChange: ViewChange,
  proofs: readonly PreparedProof[],
): boolean {
  let previous = viewChange.head.header.height;
  const highest = previous + ENGINE_LIMITS.windowBlocksMax;
  for (const { header, certificate } of proofs) {
    if (header.height <= previous || header.height > highest) return false;
    if (certificate.view >= viewChange.view) return false;
    if (!certifiesHeader(suite, reign, 'prepare', header, certificate)) return false;
    previous = header.height;
  }
  return true;
}

function verifyViewChange(suite: Suite, reign: Reign, viewChange: ViewChange): boolean {
  return (
    viewChange.view > 0 &&
    viewChange.view <= ENGINE_LIMITS.viewMax &&
    verifyShownHead(suite, reign, viewChange.head) &&
    verifyPrepared(suite, reign, viewChange, viewChange.prepared)
  );
}

/** The decoded VIEW-CHANGEs of a NEW-VIEW; null when any is not one for its view. Signatures are not looked at. */
export function viewChangesOf(newView: NewView): ViewChange[] | null {
  const decoded: ViewChange[] = [];
  for (const signed of newView.viewChanges) {
    const message = decodeMessage(signed);
    if (isReject(message) || message.content.kind !== 'viewChange') return null;
    if (message.content.view !== newView.view) return null;
    decoded.push(message.content);
  }
  return decoded;
}

function verifyNewView(suite: Suite, reign: Reign, signed: SignedMessage, newView: NewView): boolean {
  const { validators } = reign.set;
  if (newView.view === 0 || signed.signer !== primaryIndex(validators.length, newView.view)) return false;
  if (newView.viewChanges.length < quorumSize(validators.length)) return false;
  const decoded = viewChangesOf(newView);
  if (decoded === null) return false;
  let previous = -1;
  for (const [index, nested] of newView.viewChanges.entries()) {
    const content = decoded[index];
    if (content === undefined || nested.signer <= previous) return false;
    if (!verifyConsensusMessage(suite, reign, { signed: nested, content })) return false;
    previous = nested.signer;
  }
  const chosen = chooseWindow(suite.sha256, decoded);
  return (
    chosen.blocks.length === newView.window.length &&
    chosen.blocks.every((block, index) => block.hash === newView.window[index])
  );
}

function verifyPrePrepare(suite: Suite, reign: Reign, signed: SignedMessage, proposal: PrePrepare): boolean {
  const { header } = proposal.block;
  return (
    signed.signer === primaryIndex(reign.set.validators.length, proposal.view) &&
    header.chainId === reign.chainId &&
    header.validatorSetId === reign.set.id &&
    verifyBlockEntries(suite, proposal.block)
  );
}

function isAscendingBelow(indices: readonly number[], length: number): boolean {
  return indices.every((index, at) => index < length && index > (indices[at - 1] ?? -1));
}

/**
 * Checks the outer signature and every nested one, certificates included, under the reign's set; a NEW-VIEW's window is
 * computed again. Pure, so that it can run in a worker. False for anything that its signer could not have made honestly.
 *
 * @param message as `decodeMessage` gave it: `content` is what `signed.body` holds
 */
export function verifyConsensusMessage(suite: Suite, reign: Reign, message: ConsensusMessage): boolean {
  const { signed, content } = message;
  const validator = reign.set.validators[signed.signer];
  if (validator === undefined || signed.validatorSetId !== reign.set.id) return false;
  const bytes = signedBytes(suite.sha256, reign.chainId, reign.set.id, content);
  if (!suite.verify(validator.publicKey, bytes, signed.signature)) return false;
  switch (content.kind) {
    case 'prePrepare':
      return verifyPrePrepare(suite, reign, signed, content);
    case 'viewChange':
      return verifyViewChange(suite, reign, content);
    case 'newView':
      return verifyNewView(suite, reign, signed, content);
    case 'status':
      return verifyShownHead(suite, reign, content.head);
    case 'complaint':
      return isAscendingBelow(content.gone, reign.set.validators.length);
    case 'prepare':
    case 'commit':
    case 'checkpoint':
      return true;
    default:
      return assertNever(content);
  }
}
