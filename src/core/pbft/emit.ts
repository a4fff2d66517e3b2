import { assert } from '../base/assert.ts';
import type { Hash } from '../base/ids.ts';
import { headerHash } from '../codec/chain.ts';
import type { Effect, TimerName } from './effect.ts';
import { encodeContent } from './message-codec.ts';
import type { ConsensusMessage, MessageContent, SignedMessage } from './messages.ts';
import { signedBytes } from './signing.ts';
import type { Engine, SignedValue } from './state.ts';

export function emit(engine: Engine, effect: Effect): void {
  engine.out.push(effect);
}

export function toAll(message: ConsensusMessage): Effect {
  return { type: 'send', to: 'all', message: message.signed };
}

export function sendAll(engine: Engine, message: ConsensusMessage): void {
  emit(engine, toAll(message));
}

export function sendTo(engine: Engine, peerId: string, message: ConsensusMessage): void {
  emit(engine, { type: 'send', to: { peerId }, message: message.signed });
}

/** Sends a stored message again, unless its record is still being written: then it goes out with its ticket. */
export function resend(
  engine: Engine,
  to: 'all' | { readonly peerId: string },
  message: ConsensusMessage | null,
): void {
  if (message !== null && engine.durable.has(message.signed))
    emit(engine, { type: 'send', to, message: message.signed });
}

/** @param own messages of this node that count once the records are durable */
export function persist(
  engine: Engine,
  records: readonly Uint8Array[],
  then: readonly Effect[],
  own: readonly ConsensusMessage[],
): void {
  const ticket = engine.nextTicket;
  engine.nextTicket += 1;
  engine.tickets.push({ ticket, own });
  emit(engine, { type: 'persist', ticket, records, then });
}

function voteKey(kind: 'prePrepare' | 'prepare' | 'commit', view: number, height: number): string {
  return `${kind}:${view}:${height}`;
}

/** Whether this view's PREPARE at the height went to another block; then no vote is cast there any more. */
export function preparedOther(engine: Engine, height: number, blockHash: Hash): boolean {
  const signed = engine.signedValues.get(voteKey('prepare', engine.view, height));
  return signed !== undefined && signed.value !== blockHash;
}

/** Whether this view's proposal at the height was given already, for a block that lost its slot since. */
export function proposedBefore(engine: Engine, height: number): boolean {
  return engine.signedValues.has(voteKey('prePrepare', engine.view, height));
}

/** The slot that a message is a value for; null for messages that may be signed many times. */
function slotValue(
  engine: Engine,
  content: MessageContent,
): { key: string; signed: Omit<SignedValue, 'message'> } | null {
  const { sha256 } = engine.config.suite;
  const { kind } = content;
  switch (kind) {
    case 'prePrepare': {
      const { height } = content.block.header;
      const value = headerHash(sha256, content.block.header);
      return { key: voteKey(kind, content.view, height), signed: { view: content.view, height, value } };
    }
    case 'prepare':
    case 'commit': {
      const { view, height, blockHash: value } = content;
      return { key: voteKey(kind, view, height), signed: { view, height, value } };
    }
    case 'checkpoint': {
      const { height, blockHash: value } = content;
      return { key: `${kind}:${height}`, signed: { view: null, height, value } };
    }
    case 'viewChange':
    case 'newView': {
      const value = sha256(encodeContent(content));
      return { key: `${kind}:${content.view}`, signed: { view: content.view, height: null, value } };
    }
    default:
      return null;
  }
}

/** Remembers what was signed and crashes before a second value is signed for the same slot. */
export function recordSigned(engine: Engine, content: MessageContent, message: SignedMessage): void {
  const slot = slotValue(engine, content);
  if (slot === null) return;
  const known = engine.signedValues.get(slot.key);
  assert(known === undefined || known.value === slot.signed.value, `one signed value for ${slot.key}`);
  if (known === undefined) engine.signedValues.set(slot.key, { ...slot.signed, message });
}

/** Slots below the head and of earlier views can never be signed again: forget them. */
export function pruneSigned(engine: Engine): void {
  const head = engine.head.header.height;
  for (const [key, { view, height }] of engine.signedValues)
    if ((view !== null && view < engine.view) || (height !== null && height < head))
      engine.signedValues.delete(key);
}

export function sign<Content extends MessageContent>(
  engine: Engine,
  content: Content,
): ConsensusMessage<Content> {
  const { seat, reign, config } = engine;
  assert(seat !== null, 'an observer signs nothing');
  if (content.kind === 'prePrepare' || content.kind === 'prepare' || content.kind === 'commit')
    assert(engine.active && content.view === engine.view, 'votes are cast in the active view only');
  const bytes = signedBytes(config.suite.sha256, config.chainId, reign.set.id, content);
  const signed: SignedMessage = {
    kind: content.kind,
    validatorSetId: reign.set.id,
    signer: seat.index,
    body: encodeContent(content),
    signature: seat.sign(bytes),
  };
  recordSigned(engine, content, signed);
  return { signed, content };
}

export function setTimer(engine: Engine, name: TimerName, delayMs: number, purpose: string): void {
  const generation = engine.nextGeneration;
  engine.nextGeneration += 1;
  engine.timers.set(name, { generation, purpose });
  emit(engine, { type: 'setTimer', name, delayMs, generation });
}

export function cancelTimer(engine: Engine, name: TimerName): void {
  if (engine.timers.delete(name)) emit(engine, { type: 'cancelTimer', name });
}

export function halt(engine: Engine, height: number, reason: string): void {
  engine.halted = true;
  emit(engine, { type: 'halt', height, reason });
}

/** Once a signer and kind in a reign: enough to convict, and bounded. */
export function giveEvidence(engine: Engine, first: SignedMessage, second: SignedMessage): void {
  const key = `${first.kind}:${first.signer}`;
  if (engine.evidenceGiven.has(key)) return;
  engine.evidenceGiven.add(key);
  emit(engine, { type: 'evidence', first, second });
}
