import { ENGINE_LIMITS } from './config.ts';
import type { ConsensusMessage, PrePrepare, Vote } from './messages.ts';
import { type Engine, headHeight, highestHeight } from './state.ts';

function heightOf(message: ConsensusMessage<PrePrepare | Vote>): number {
  const { content } = message;
  return content.kind === 'prePrepare' ? content.block.header.height : content.height;
}

function sameSlot(a: ConsensusMessage<PrePrepare | Vote>, b: ConsensusMessage<PrePrepare | Vote>): boolean {
  return (
    a.content.kind === b.content.kind && a.content.view === b.content.view && heightOf(a) === heightOf(b)
  );
}

/**
 * Keeps a proposal or vote of a later view or height. A signer fills its own share only, and all shares are bounded
 * together (SCENARIOS 70); what does not fit is lost and comes again by the resend path.
 */
function buffer(engine: Engine, message: ConsensusMessage<PrePrepare | Vote>): void {
  engine.hint = true;
  const { bySigner } = engine.future;
  const { signer, body } = message.signed;
  const share = bySigner.get(signer) ?? { messages: [], bytes: 0 };
  const countMax = ENGINE_LIMITS.futurePerSignerWindows * engine.parameters.windowBlocks;
  if (share.messages.length >= countMax || engine.future.count >= ENGINE_LIMITS.futureMessagesTotal) return;
  if (share.bytes + body.length > ENGINE_LIMITS.futureBytesPerSigner) return;
  if (share.messages.some(known => sameSlot(known, message))) return;
  share.messages.push(message);
  share.bytes += body.length;
  bySigner.set(signer, share);
  engine.future.count += 1;
}

/** Whether a proposal or vote is for now; what is for later goes to the buffer, what is over is dropped. */
export function isForNow(
  engine: Engine,
  message: ConsensusMessage<PrePrepare | Vote>,
  height: number,
): boolean {
  const { view, newViewDigest } = message.content;
  if (view < engine.view || height <= headHeight(engine)) return false;
  if (view > engine.view || !engine.active || height > highestHeight(engine)) {
    buffer(engine, message);
    return false;
  }
  return newViewDigest === engine.digest;
}

/** Empties the buffer; the caller handles each message again, which may put it back. */
export function drainFuture(engine: Engine): ConsensusMessage<PrePrepare | Vote>[] {
  const { future } = engine;
  if (future.count === 0) return [];
  const messages = [...future.bySigner.values()].flatMap(share => share.messages);
  future.bySigner.clear();
  future.count = 0;
  return messages;
}
