import { EVIDENCE_SENDER } from '../../core/access/evidence.ts';
import { hashBytes } from '../../core/base/bytes.ts';
import type { Hash, Sha256 } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { buildTransaction } from '../../core/codec/build.ts';
import { headerHash } from '../../core/codec/chain.ts';
import { encodeEvidence } from '../../core/codec/governance.ts';
import { encodeSignedTransaction, logIdOf } from '../../core/codec/transaction.ts';
import { decodeMessage, encodeContent } from '../../core/pbft/message-codec.ts';
import type { SignedMessage } from '../../core/pbft/messages.ts';
import { EVIDENCE_KINDS, type EvidenceKind } from '../../core/types/governance.ts';
import { LIMITS, SIZES } from '../../core/types/limits.ts';
import type { EvidenceProof } from '../../core/types/operation.ts';
import type { Logger } from '../../ports/logger.ts';

export interface Evidence {
  /** Name of the validator that signed both. */
  readonly validator: string;
  readonly first: SignedMessage;
  readonly second: SignedMessage;
}

interface EvidencePool {
  submit(bytes: Uint8Array): Promise<unknown>;
}

interface EvidenceChain {
  readonly suite: { readonly sha256: Sha256 };
  chainId(): Hash;
  headHeight(): number;
  parameters(): { readonly replayWindowBlocks: number };
}

/** Pairs of conflicting messages of one validator, kept for the operator until the process ends and put on chain. */
export class EvidenceBox {
  private readonly pairs: Evidence[] = [];

  constructor(
    private readonly logger: Logger,
    private readonly pairsMax: number,
    private readonly chain: EvidenceChain,
    private readonly pool: EvidencePool,
  ) {}

  add(pair: Evidence): void {
    if (this.pairs.length < this.pairsMax) this.pairs.push(pair);
    const { validator, first } = pair;
    publishEvidence(this.chain, this.pool, pair);
    this.logger.error({ validator, kind: first.kind }, 'a validator signed two conflicting messages');
  }

  /** In the order in which they were found. */
  list(): readonly Evidence[] {
    return this.pairs;
  }
}

/** What the signature of a message covers beside tag, chain and set; of a PRE-PREPARE the same fields as of a vote. */
function signedBody(sha256: Sha256, message: SignedMessage): Uint8Array | null {
  if (message.kind !== 'prePrepare') return message.body;
  const decoded = decodeMessage(message);
  if (isReject(decoded) || decoded.content.kind !== 'prePrepare') return null;
  const { view, newViewDigest, block } = decoded.content;
  const { height } = block.header;
  return encodeContent({
    kind: 'prepare',
    view,
    newViewDigest,
    height,
    blockHash: headerHash(sha256, block.header),
  });
}

/** Null where the chain keeps no evidence of the kind, or the messages are too large for it. */
function proofOf(sha256: Sha256, { first, second }: Evidence): EvidenceProof | null {
  const kind = first.kind as EvidenceKind;
  if (!(kind in EVIDENCE_KINDS) || second.kind !== first.kind) return null;
  const [one, other] = [signedBody(sha256, first), signedBody(sha256, second)];
  if (one === null || other === null) return null;
  if (Math.max(one.length, other.length) > LIMITS.evidenceBodyBytes) return null;
  return {
    validatorSetId: first.validatorSetId,
    signer: first.signer,
    kind,
    first: { body: one, signature: first.signature },
    second: { body: other, signature: second.signature },
  };
}

/**
 * The transaction that records a pair on chain, encoded. It has no sender: it proves itself. Whoever noticed the same pair
 * makes the same bytes, so that it is in the pools once.
 * @param lastValidHeight the end of the replay window from here
 */
function evidenceTransaction(
  sha256: Sha256,
  chainId: Hash,
  lastValidHeight: number,
  pair: Evidence,
): Uint8Array | null {
  const proof = proofOf(sha256, pair);
  if (proof === null) return null;
  const content = encodeEvidence(proof);
  const { body, parts } = buildTransaction(sha256, {
    chainId,
    sender: EVIDENCE_SENDER.id,
    keyId: 0,
    kind: 'evidence',
    lastValidHeight,
    scopes: [logIdOf(sha256, chainId, 'system', chainId)],
    parts: [{ scope: 0, salt: hashBytes(sha256(content)), content }],
  });
  const signature = new Uint8Array(SIZES.signature);
  return encodeSignedTransaction({
    body,
    parts,
    signature,
    batch: { treeSize: 1, index: 0, path: [] },
  });
}

/** Into this node's own pool; what is recorded already is refused there. */
function publishEvidence(chain: EvidenceChain, pool: EvidencePool, pair: Evidence): void {
  // In steps, so that nodes that notice it some blocks apart name the same height.
  const step = Math.max(1, Math.floor(chain.parameters().replayWindowBlocks / 4));
  const lastValidHeight = (Math.floor(chain.headHeight() / step) + 3) * step;
  const bytes = evidenceTransaction(chain.suite.sha256, chain.chainId(), lastValidHeight, pair);
  if (bytes !== null) void pool.submit(bytes);
}
