import { assert } from '../../../src/core/base/assert.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import type { Effect } from '../../../src/core/pbft/effect.ts';
import type { Engine } from '../../../src/core/pbft/engine.ts';
import { decodeMessage } from '../../../src/core/pbft/message-codec.ts';
import type { SignedMessage } from '../../../src/core/pbft/messages.ts';
import type { Slot } from '../../../src/core/pbft/state.ts';
import { decodeWalRecord } from '../../../src/core/pbft/wal-record.ts';
import { suite } from './kit.ts';
import { nameOf } from './transitions-words.ts';

// How transitions.txt writes effects and what changed of a state.

function sayMessage(signed: SignedMessage): string {
  const decoded = decodeMessage(signed);
  assert(!isReject(decoded), 'own messages decode');
  const { content } = decoded;
  const inView = (view: number) => (view === 0 ? '' : ` in view ${view}`);
  switch (content.kind) {
    case 'prePrepare':
      return `prePrepare ${nameOf(headerHash(suite.sha256, content.block.header))}${inView(content.view)}`;
    case 'prepare':
    case 'commit':
      return `${content.kind} ${nameOf(content.blockHash)}${inView(content.view)}`;
    case 'checkpoint':
      return `checkpoint ${nameOf(content.blockHash)}`;
    case 'viewChange':
      return `viewChange ${content.view} headed ${content.head.header.height} showing [${content.prepared.map(({ header }) => header.height)}]`;
    case 'newView':
      return `newView ${content.view} of [${content.viewChanges.map(({ signer }) => signer)}] with [${content.window.map(nameOf)}]`;
    case 'status':
      return `status${content.reply ? ' reply' : ''}${content.active ? '' : ' waiting'}${inView(content.view)} headed ${content.head.header.height} accepted ${content.acceptedHeight}`;
    default:
      return `complaint${content.lasting ? ' lasting' : ''}${inView(content.view)} at ${content.height}${content.gone.length > 0 ? ` gone ${content.gone.join(' ')}` : ''}`;
  }
}

function sayRecord(bytes: Uint8Array): string {
  const record = decodeWalRecord(bytes);
  assert(!isReject(record), 'own records decode');
  if (record.type === 'message') return sayMessage(record.message.signed);
  if (record.type === 'block') return `block ${nameOf(headerHash(suite.sha256, record.block.header))}`;
  if (record.type === 'prepared') return `proof ${nameOf(record.proof.certificate.blockHash)}`;
  return `stable ${record.height}`;
}

/** One effect in words. */
export function sayEffect(effect: Effect): string {
  switch (effect.type) {
    case 'persist':
      return `persist (${effect.records.map(sayRecord).join(', ')}) then (${effect.then.map(sayEffect).join(', ')})`;
    case 'trim':
      return `trim to (${effect.records.map(sayRecord).join(', ')})`;
    case 'send':
      return `send ${sayMessage(effect.message)}${effect.to === 'all' ? '' : ` to ${effect.to.peerId.slice(5)}`}`;
    case 'setTimer':
      return `setTimer ${effect.name} ${effect.delayMs}`;
    case 'cancelTimer':
      return `cancelTimer ${effect.name}`;
    case 'build':
      return `build ${effect.height} on ${nameOf(effect.parentHash)}`;
    case 'execute':
      return `execute ${nameOf(effect.blockHash)}${effect.checkClock ? ' with clock' : ''}`;
    case 'commit':
      return `commit ${nameOf(effect.blockHash)}`;
    case 'discard':
      return `discard ${effect.blockHashes.map(nameOf)}`;
    case 'returnToPool':
      return `returnToPool ${effect.blocks.map(({ header }) => nameOf(headerHash(suite.sha256, header)))}`;
    case 'sync':
      return `sync ${effect.head === null ? 'any' : effect.head.header.height}`;
    case 'fetchBlock':
      return `fetchBlock ${nameOf(effect.blockHash)}`;
    case 'fetchNewView':
      return `fetchNewView above ${effect.view}`;
    case 'archive':
      return `archive ${sayMessage(effect.newView)}`;
    case 'evidence':
      return `evidence ${effect.first.kind} of ${effect.first.signer}`;
    case 'halt':
      return `halt at ${effect.height}: ${effect.reason}`;
  }
}

function saySlot(slot: Slot): string {
  const words = [
    slot.block === null ? `${nameOf(slot.hash)} absent` : nameOf(slot.hash),
    slot.execution === 'none' ? '' : slot.execution,
    slot.proposed ? (slot.reproposed ? 'proposed again' : 'proposed') : '',
    slot.accepted ? 'accepted' : '',
    slot.preparedHere ? 'prepared' : '',
    slot.prepares.size > 0 ? `prepares ${[...slot.prepares.keys()].join('')}` : '',
    slot.commits.size > 0 ? `commits ${[...slot.commits.keys()].join('')}` : '',
    slot.preparedProof === null ? '' : 'proof',
    slot.decided === null ? '' : 'certified',
    slot.commitGiven ? 'writing' : '',
  ];
  return words.filter(word => word !== '').join(' ');
}

/** The parts of the state that rows speak of, by name. */
export function facts(engine: Engine): Map<string, string> {
  const all = new Map<string, string>();
  const say = (name: string, value: string | number) => all.set(name, String(value));
  say('view', `${engine.view}${engine.active ? '' : ' waiting'}`);
  say('set', `${engine.reign.set.id}${engine.seat === null ? ' observed' : ''}`);
  say('head', engine.head.header.height);
  say('stable', engine.stableHeight);
  say('fruitless', engine.fruitlessViews);
  say('pending', engine.waiting ? 'yes' : 'no');
  say('building', engine.build?.height ?? 'no');
  say('buffered', engine.future.count);
  say('lacks something', engine.hint ? 'yes' : 'no');
  say('behind', engine.syncTarget?.header.height ?? (engine.syncAhead ? 'a later set' : 'no'));
  say('complaints', [...engine.complaints.keys()].join('') || 'none');
  say(
    'asked',
    [...engine.viewChanges].map(([signer, { content }]) => `${signer}:${content.view}`).join(' ') || 'none',
  );
  say(
    'checkpoints',
    [...engine.checkpoints]
      .filter(([, kept]) => kept.length > 0)
      .map(([signer, kept]) => `${signer}:${kept.map(({ content }) => content.height)}`)
      .join(' ') || 'none',
  );
  say('lost', [...engine.unreachable].map(peer => peer.slice(5)).join('') || 'none');
  say('halted', engine.halted ? 'yes' : 'no');
  for (const [height, slot] of engine.slots) say(`slot ${height}`, saySlot(slot));
  return all;
}
