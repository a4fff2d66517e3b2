import { ENGINE_LIMITS } from './config.ts';
import { emit, giveEvidence, halt, sendAll, sign } from './emit.ts';
import type { Checkpoint, ConsensusMessage, SignedMessage } from './messages.ts';
import { type Engine, headHeight, quorum, slotsAscending } from './state.ts';
import { encodeWalMessage, encodeWalRecord } from './wal-record.ts';

// OSDI '99, 4.3. The commit certificate of a head proves the state; a stable checkpoint says that a quorum holds it on disk.

/** At least two checkpoints fit into a window, so that reaching the high watermark always makes one. */
function checkpointInterval(engine: Engine): number {
  const { checkpointIntervalBlocks, windowBlocks } = engine.parameters;
  return Math.max(1, Math.min(checkpointIntervalBlocks, Math.floor(windowBlocks / 2)));
}

/** The state after the head is durable here; null where that says nothing new. */
function checkpointOfHead(engine: Engine): ConsensusMessage<Checkpoint> | null {
  const { head, seat } = engine;
  const { height } = head.header;
  if (seat === null || height < engine.stableHeight || height <= engine.reign.startHeight) return null;
  const known = engine.ownCheckpoints.find(({ content }) => content.height === height);
  if (known !== undefined) return known;
  const message = sign<Checkpoint>(engine, { kind: 'checkpoint', height, blockHash: head.hash });
  engine.ownCheckpoints.push(message);
  keep(engine, message);
  return message;
}

function announceHead(engine: Engine): void {
  const message = checkpointOfHead(engine);
  if (message !== null) sendAll(engine, message);
  updateStable(engine);
}

/** Announces the new head, if it is one to announce. */
export function makeCheckpoint(engine: Engine): void {
  if (headHeight(engine) > engine.stableHeight && headHeight(engine) % checkpointInterval(engine) === 0)
    announceHead(engine);
  else updateStable(engine);
}

/** A checkpoint should have become stable since: its messages were lost with a restart or a state transfer. */
export function isCheckpointOverdue(engine: Engine): boolean {
  return engine.seat !== null && headHeight(engine) - engine.stableHeight >= checkpointInterval(engine);
}

/** Then the head serves, at whatever height the others stand too. */
export function announceOverdue(engine: Engine): void {
  if (isCheckpointOverdue(engine)) announceHead(engine);
}

/** Own checkpoints above a peer's low watermark; one of the head where the peer could not get there otherwise. */
export function checkpointsFor(engine: Engine, stableHeight: number): ConsensusMessage<Checkpoint>[] {
  if (stableHeight < engine.stableHeight || isCheckpointOverdue(engine)) {
    checkpointOfHead(engine);
    updateStable(engine);
  }
  return engine.ownCheckpoints.filter(({ content }) => content.height > stableHeight);
}

function keep(engine: Engine, message: ConsensusMessage<Checkpoint>): void {
  const { signer } = message.signed;
  const known = engine.checkpoints.get(signer) ?? [];
  const same = known.find(({ content }) => content.height === message.content.height);
  if (same !== undefined) {
    if (same.content.blockHash !== message.content.blockHash)
      giveEvidence(engine, same.signed, message.signed);
    return;
  }
  const kept = [...known, message].sort((a, b) => a.content.height - b.content.height);
  // of the own ones the window bounds how many there are, and a peer that asks at every head must not push any out
  const keptMax = signer === engine.seat?.index ? kept.length : ENGINE_LIMITS.checkpointsPerSigner;
  engine.checkpoints.set(signer, kept.slice(-keptMax));
}

export function onCheckpoint(engine: Engine, message: ConsensusMessage<Checkpoint>): void {
  if (message.content.height <= engine.stableHeight) return;
  keep(engine, message);
  updateStable(engine);
}

/** The highest checkpoint that a quorum holds durably; null when none is above the low watermark. */
function agreed(engine: Engine): Checkpoint | null {
  const signers = new Map<string, { checkpoint: Checkpoint; count: number }>();
  let highest: Checkpoint | null = null;
  for (const messages of engine.checkpoints.values()) {
    for (const { content } of messages) {
      const key = `${content.height}:${content.blockHash}`;
      const tally = signers.get(key) ?? { checkpoint: content, count: 0 };
      tally.count += 1;
      signers.set(key, tally);
      const reached = tally.count >= quorum(engine) && content.height > engine.stableHeight;
      if (reached && content.height > (highest?.height ?? 0)) highest = content;
    }
  }
  return highest;
}

/** What a restart still needs, in an order that replays to the same state. */
function neededRecords(engine: Engine): Uint8Array[] {
  const { stableHeight: height, stableHash: blockHash } = engine;
  const validatorSetId = engine.reign.set.id;
  const records = [encodeWalRecord({ type: 'stable', validatorSetId, height, blockHash })];
  if (engine.newView !== null) records.push(encodeWalMessage(engine.newView.signed));
  if (engine.ownViewChange?.content.view === engine.view && !engine.active)
    records.push(encodeWalMessage(engine.ownViewChange.signed));
  // What was signed in this view for a block that lost its slot: never sent again, but it binds.
  const inSlots = new Set<SignedMessage>();
  for (const { proposal, ownPrepare, ownCommit } of engine.slots.values())
    for (const own of [proposal, ownPrepare, ownCommit]) if (own !== null) inSlots.add(own.signed);
  for (const { view, height: at, message } of engine.signedValues.values())
    if (view === engine.view && at !== null && at > headHeight(engine) && !inSlots.has(message))
      records.push(encodeWalMessage(message));
  for (const slot of slotsAscending(engine)) {
    const { block, proposal, preparedProof, ownPrepare, ownCommit } = slot;
    if (slot.blockLogged && proposal !== null) records.push(encodeWalMessage(proposal.signed));
    else if (slot.blockLogged && block !== null) records.push(encodeWalRecord({ type: 'block', block }));
    if (preparedProof !== null) records.push(encodeWalRecord({ type: 'prepared', proof: preparedProof }));
    if (ownPrepare !== null) records.push(encodeWalMessage(ownPrepare.signed));
    if (ownCommit !== null) records.push(encodeWalMessage(ownCommit.signed));
  }
  return records;
}

/** Moves the low watermark to the highest agreed checkpoint that this node holds too, and trims the log. */
function updateStable(engine: Engine): void {
  const stable = agreed(engine);
  if (stable === null) return;
  if (stable.height > headHeight(engine)) {
    engine.hint = true;
    return;
  }
  const own = engine.ownCheckpoints.find(({ content }) => content.height === stable.height);
  if (own !== undefined && own.content.blockHash !== stable.blockHash) {
    halt(engine, stable.height, 'a quorum holds another state at this checkpoint');
    return;
  }
  engine.stableHeight = stable.height;
  engine.stableHash = stable.blockHash;
  engine.ownCheckpoints = engine.ownCheckpoints.filter(({ content }) => content.height >= stable.height);
  for (const [signer, messages] of engine.checkpoints)
    engine.checkpoints.set(
      signer,
      messages.filter(({ content }) => content.height > stable.height),
    );
  emit(engine, { type: 'trim', records: neededRecords(engine) });
}
