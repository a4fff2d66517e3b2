import type { BlockHash, Hash, Suite } from '../base/ids.ts';
import { type Reject, reject } from '../base/reject.ts';
import { contentCodec } from '../codec/content.ts';
import { tagBytes } from '../codec/tags.ts';
import { Writer } from '../codec/writer.ts';
import { honestWitnesses } from '../quorum/quorum.ts';
import { LIMITS, SIZES } from '../types/limits.ts';
import type { Trust } from './trust.ts';

/** Bytes of the random nonce that the asker draws for each question. */
const FRESH_NONCE_BYTES = 32;

/** One validator's answer to "what is your head now?", bound to the asker's nonce. */
export interface FreshHeadStatement {
  readonly validatorSetId: number;
  /** Index in that set. */
  readonly signer: number;
  readonly height: number;
  readonly blockHash: BlockHash;
  readonly signature: Uint8Array;
}

export type FreshHeadSubject = Pick<FreshHeadStatement, 'validatorSetId' | 'height' | 'blockHash'>;

/** The bytes that a validator signs. @param nonce 32 bytes, the asker's */
export function freshHeadBytes(chainId: Hash, nonce: Uint8Array, subject: FreshHeadSubject): Uint8Array {
  return new Writer()
    .raw(tagBytes('freshHead'))
    .hash(chainId)
    .fixed(nonce, FRESH_NONCE_BYTES)
    .u64(subject.validatorSetId)
    .u64(subject.height)
    .hash(subject.blockHash)
    .finish();
}

export const { encode: encodeFreshHead, decode: decodeFreshHead } = contentCodec<FreshHeadStatement>(
  'fresh head statement',
  (writer, statement) => {
    writer.u64(statement.validatorSetId).u16(statement.signer).u64(statement.height);
    writer.hash(statement.blockHash).fixed(statement.signature, SIZES.signature);
  },
  reader => ({
    validatorSetId: reader.u64(),
    signer: reader.u16(),
    height: reader.u64(),
    blockHash: reader.hash(),
    signature: reader.fixed(SIZES.signature),
  }),
);

/** True when a validator of the head's set signed, for this nonce, that its own head is not above this one. */
function speaksForHead(suite: Suite, head: Trust, nonce: Uint8Array, statement: FreshHeadStatement): boolean {
  const { header, hash, set } = head;
  if (statement.validatorSetId !== set.id || statement.height > header.height) return false;
  if (statement.height === header.height && statement.blockHash !== hash) return false;
  const validator = set.validators[statement.signer];
  if (validator === undefined) return false;
  const bytes = freshHeadBytes(header.chainId, nonce, statement);
  return suite.verify(validator.publicKey, bytes, statement.signature);
}

/**
 * The head is fresh: f+1 different validators of its set, so at least one honest one, answered this nonce and none of
 * them knew a higher head [76]. A bad statement is skipped and hides no good one.
 * @param nonce the 32 bytes that the asker drew for this question
 */
export function checkFreshHead(
  suite: Suite,
  head: Trust,
  nonce: Uint8Array,
  statements: readonly FreshHeadStatement[],
): Reject | null {
  const needed = honestWitnesses(head.set.validators.length);
  if (statements.length > LIMITS.validatorsMax) {
    return reject('too_many_statements', `${statements.length} statements`);
  }
  const speakers = new Set<number>();
  for (const statement of statements) {
    if (speakers.has(statement.signer)) continue;
    if (speaksForHead(suite, head, nonce, statement)) speakers.add(statement.signer);
  }
  if (speakers.size >= needed) return null;
  return reject('not_fresh', `${speakers.size} of ${needed} validators vouch for the head`, 'ignore');
}
