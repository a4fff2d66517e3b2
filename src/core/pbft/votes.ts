import type { BlockHash } from '../base/ids.ts';
import type { Certificate } from '../types/chain.ts';
import { giveEvidence } from './emit.ts';
import { isForNow } from './future.ts';
import type { ConsensusMessage, Vote } from './messages.ts';
import { type Engine, quorum, slotAt, type Votes } from './state.ts';

/** A PREPARE or COMMIT of the current view counts once a signer; a second value is evidence (SCENARIOS 6, 29). */
export function onVote(engine: Engine, message: ConsensusMessage<Vote>): void {
  const { kind, height, blockHash } = message.content;
  if (!isForNow(engine, message, height)) return;
  const slot = slotAt(engine, height);
  const votes = kind === 'prepare' ? slot.prepares : slot.commits;
  const known = votes.get(message.signed.signer);
  if (known === undefined) votes.set(message.signed.signer, message);
  else if (known.content.blockHash !== blockHash) giveEvidence(engine, known.signed, message.signed);
}

/** A quorum of votes for `hash`, signers ascending; null while there is none. */
export function certificateOf(
  engine: Engine,
  votes: Votes,
  height: number,
  hash: BlockHash,
): Certificate | null {
  const needed = quorum(engine);
  if (votes.size < needed) return null;
  const matching = [...votes.values()].filter(({ content }) => content.blockHash === hash);
  if (matching.length < needed) return null;
  const signatures = matching
    .map(({ signed }) => ({ signer: signed.signer, signature: signed.signature }))
    .sort((a, b) => a.signer - b.signer)
    .slice(0, needed);
  const { view, digest, reign } = engine;
  return {
    validatorSetId: reign.set.id,
    view,
    newViewDigest: digest,
    height,
    blockHash: hash,
    signatures,
  };
}
