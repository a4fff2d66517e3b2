import { assert, assertNever } from '../base/assert.ts';
import { onFetched } from './blocks.ts';
import { onCheckpoint } from './checkpoint.ts';
import { complain, complainOfGone, onComplaint } from './complaints.ts';
import type { Effect } from './effect.ts';
import { onExecuted } from './execution.ts';
import { drainFuture } from './future.ts';
import type { Input } from './input.ts';
import type { ConsensusMessage } from './messages.ts';
import { onNewView, tryOpenView } from './new-view.ts';
import { advanceSlots } from './normal-case.ts';
import { maybeBuild, onBuildEmpty, onBuilt, onPrePrepare } from './pre-prepare.ts';
import { onCommitted, onSynced } from './reconfiguration.ts';
import { onStart } from './restore.ts';
import type { Engine } from './state.ts';
import { onConnected, onOtherSet, onResendTimer, onStatus } from './status.ts';
import { takeTimer, updateTimers } from './supervision.ts';
import { leaveView, onViewChange, onViewTimer } from './view-change.ts';
import { onVote } from './votes.ts';

type KindedMessage = ConsensusMessage['content']['kind'];
type MessageOf<Kind extends KindedMessage> = ConsensusMessage<
  Extract<ConsensusMessage['content'], { kind: Kind }>
>;

function isKind<Kind extends KindedMessage>(
  message: ConsensusMessage,
  ...kinds: readonly Kind[]
): message is MessageOf<Kind> {
  return (kinds as readonly string[]).includes(message.content.kind);
}

/** A message of this node itself counts when its ticket comes back, not when it is heard on the wire. */
function onMessage(engine: Engine, message: ConsensusMessage): void {
  if (message.signed.validatorSetId !== engine.reign.set.id) return;
  if (message.signed.signer === engine.seat?.index) return;
  count(engine, message);
}

function count(engine: Engine, message: ConsensusMessage): void {
  if (isKind(message, 'prePrepare')) onPrePrepare(engine, message);
  else if (isKind(message, 'prepare', 'commit')) onVote(engine, message);
  else if (isKind(message, 'checkpoint')) onCheckpoint(engine, message);
  else if (isKind(message, 'viewChange')) onViewChange(engine, message);
  else if (isKind(message, 'newView')) onNewView(engine, message);
  else if (isKind(message, 'status')) onStatus(engine, message);
  else if (isKind(message, 'complaint')) onComplaint(engine, message);
}

function onPersisted(engine: Engine, ticket: number): void {
  const first = engine.tickets.shift();
  assert(first?.ticket === ticket, 'tickets come back in order');
  for (const { signed } of first.own) engine.durable.add(signed);
  for (const message of first.own)
    if (message.signed.validatorSetId === engine.reign.set.id) count(engine, message);
}

function onTimer(engine: Engine, input: Extract<Input, { type: 'timer' }>): void {
  const purpose = takeTimer(engine, input.name, input.generation);
  if (purpose === null) return;
  if (input.name === 'view') onViewTimer(engine);
  else onResendTimer(engine, purpose);
}

function handle(engine: Engine, input: Input): void {
  switch (input.type) {
    case 'start':
      onStart(engine);
      break;
    case 'message':
      onMessage(engine, input.message);
      break;
    case 'otherSet':
      onOtherSet(engine, input.validatorSetId, input.peerId);
      break;
    case 'connected':
      onConnected(engine, input.peerId);
      break;
    case 'timer':
      onTimer(engine, input);
      break;
    case 'persisted':
      onPersisted(engine, input.ticket);
      break;
    case 'pending':
      engine.waiting = input.waiting;
      engine.buildable = input.waiting;
      break;
    case 'built':
      onBuilt(engine, input.buildId, input.block, input.nextSet);
      break;
    case 'buildEmpty':
      onBuildEmpty(engine, input.buildId);
      break;
    case 'executed':
      onExecuted(engine, input.executionId, input.verdict, input.nextSet);
      break;
    case 'committed':
      onCommitted(engine, input.height, input.parameters);
      break;
    case 'synced':
      onSynced(engine, input.head);
      break;
    case 'fetched':
      onFetched(engine, input.block);
      break;
    case 'complain':
      complain(engine, true);
      break;
    case 'unreachable':
      engine.unreachable = new Set(input.peerIds);
      break;
    default:
      assertNever(input);
  }
}

/** Where the next messages would be for: when it moves, buffered messages are looked at again. */
function position(engine: Engine): string {
  return `${engine.reign.set.id}:${engine.view}:${engine.active}:${engine.head.header.height}`;
}

/** Ends a view that should end, and opens the next when it is this node's to open. */
function settleView(engine: Engine): void {
  if (!engine.halted) leaveView(engine);
  if (!engine.halted) tryOpenView(engine);
}

/** Everything that follows from the state after an input, up from the head. */
function advance(engine: Engine): void {
  advanceSlots(engine);
  if (!engine.halted) maybeBuild(engine);
  if (!engine.halted) advanceSlots(engine);
  settleView(engine);
  if (!engine.halted) updateTimers(engine);
}

/**
 * One input, its effects. Deterministic: the same state and input give the same state and effects. The engine object is
 * changed; a broken invariant throws an AssertionError, after which the engine must not be used again.
 */
export function step(engine: Engine, input: Input): Effect[] {
  if (engine.halted || (!engine.started && input.type !== 'start')) return [];
  engine.out = [];
  const before = position(engine);
  handle(engine, input);
  if (!engine.halted) complainOfGone(engine);
  settleView(engine);
  if (before !== position(engine)) {
    for (const message of drainFuture(engine)) if (!engine.halted) count(engine, message);
  }
  if (!engine.halted) advance(engine);
  return engine.out;
}
