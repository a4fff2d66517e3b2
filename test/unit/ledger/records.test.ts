import { describe, expect, it } from 'vitest';
import type { Hash } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { encodePhaseHandoverTarget } from '../../../src/core/codec/operation.ts';
import { STATE_KEYS } from '../../../src/core/codec/state.ts';
import { decodeBody, encodeBody, partHash } from '../../../src/core/codec/transaction.ts';
import { ROLES } from '../../../src/core/types/operation.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { type Actions, itemHash } from '../../support/ledger-actions.ts';
import { createActor, hashOf } from '../../support/ledger-kit.ts';
import {
  admin,
  alice,
  bob,
  carol,
  dave,
  INTAKE,
  PROJECT,
  REVIEW,
  runningProject,
  WRITER,
} from './fixture.ts';

type HandoverPlaces = Parameters<Actions['handover']>[3];

describe('recordPut', () => {
  it('is for contributors and stewards of an open phase, under the current epoch', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.put(bob, INTAKE, 'a'), act.put(carol, INTAKE, 'b'))).toEqual([
      'committed',
      'committed',
    ]);
    expect(ledger.commit(act.put(dave, INTAKE, 'c'))).toEqual(['notParticipant']);
    expect(ledger.commit(act.put(alice, INTAKE, 'd'))).toEqual(['notParticipant']);
    expect(ledger.commit(act.put(bob, INTAKE, 'e', 1))).toEqual(['staleEpoch']);
    expect(ledger.commit(act.put(carol, REVIEW, 'f'))).toEqual(['wrongLifecycle']);
    expect(ledger.commit(act.put(bob, hashOf('none'), 'g'))).toEqual(['unknownPhase']);
    ledger.commit(act.close(alice, INTAKE));
    expect(ledger.commit(act.put(bob, INTAKE, 'h'))).toEqual(['wrongLifecycle']);
  });

  it('changes only the row of its log, not the state of the phase', () => {
    const { ledger, act } = runningProject();
    const execution = ledger.execute([act.put(bob, INTAKE, 'a')]);
    if (isReject(execution)) throw new Error(execution.detail);
    expect([...execution.diff.state.keys()]).toEqual([STATE_KEYS.log(ledger.logId('phase', INTAKE))]);
    expect(execution.diff.leaves).toHaveLength(1);
  });

  it('goes to the log of a phase, with the parts of its kind', () => {
    const { ledger, act } = runningProject();
    const project = { scopes: [ledger.logId('project', PROJECT)] };
    expect(ledger.commit(act.put(bob, INTAKE, 'a', 0, project))).toEqual(['wrongScopes']);
    const two = { scopes: [ledger.logId('phase', INTAKE), ledger.logId('phase', REVIEW)] };
    expect(ledger.commit(act.put(bob, INTAKE, 'b', 0, two))).toEqual(['wrongScopes']);
    const none = { scopes: [], parts: [] };
    expect(ledger.commit(act.put(bob, INTAKE, 'c', 0, none))).toEqual(['malformed']);
    const junk = { parts: [{ scope: 0, content: new Uint8Array([1]) }] };
    expect(ledger.commit(act.put(bob, INTAKE, 'd', 0, junk))).toEqual(['malformed']);
  });
});

describe('fileReceipt', () => {
  it('names committed records of this phase by position, id and leaf', () => {
    const { ledger, act } = runningProject();
    const position = ledger.leavesOf('phase', INTAKE).length;
    ledger.commit(act.put(bob, INTAKE, 'a'), act.put(bob, INTAKE, 'refused', 7));
    const { leaf } = ledger.leavesOf('phase', INTAKE)[position]!;
    expect(ledger.commit(act.receipt(carol, INTAKE, position))).toEqual(['committed']);
    expect(ledger.commit(act.receipt(carol, INTAKE, position + 1))).toEqual(['unknownRecord']);
    expect(ledger.commit(act.receipt(carol, INTAKE, position, { record: hashOf('other') }))).toEqual([
      'unknownRecord',
    ]);
    expect(ledger.commit(act.receipt(carol, INTAKE, position + 1, { leaf }))).toEqual(['unknownRecord']);
    const forged = leaf.slice();
    forged[forged.length - 3]! ^= 1;
    expect(ledger.commit(act.receipt(carol, INTAKE, position, { leaf: forged }))).toEqual(['unknownRecord']);
    expect(ledger.commit(act.receipt(dave, INTAKE, position))).toEqual(['notParticipant']);
    const empty = ledger.make(
      carol,
      'fileReceipt',
      [ledger.logId('phase', INTAKE)],
      [{ phase: INTAKE, receipts: [] }],
    );
    expect(ledger.commit(empty)).toEqual(['malformed']);
  });

  it('[78] takes no record of another phase', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.open(alice, REVIEW), act.put(bob, INTAKE, 'a'));
    const position = ledger.leavesOf('phase', INTAKE).length - 1;
    const stored = ledger.leavesOf('phase', INTAKE)[position]!;
    const receipts = [{ position, record: stored.transactionId, leaf: stored.leaf, cids: ['bafk'] }];
    const moved = ledger.make(
      carol,
      'fileReceipt',
      [ledger.logId('phase', REVIEW)],
      [{ phase: REVIEW, receipts }],
    );
    expect(ledger.commit(moved)).toEqual(['unknownRecord']);
  });

  it('sees a record of the same block', () => {
    const { ledger, act } = runningProject();
    const record = act.put(bob, INTAKE, 'a');
    const dry = ledger.execute([record]);
    if (isReject(dry)) throw new Error(dry.detail);
    const { leaf, position, transactionId } = dry.diff.leaves[0]!;
    const receipts = [{ position, record: transactionId, leaf, cids: ['bafk'] }];
    const receipt = ledger.make(
      bob,
      'fileReceipt',
      [ledger.logId('phase', INTAKE)],
      [{ phase: INTAKE, receipts }],
    );
    expect(ledger.commit(record, receipt)).toEqual(['committed', 'committed']);
  });
});

describe('filePurge and filePurgeAck', () => {
  function withOrder() {
    const { ledger, act } = runningProject();
    const position = ledger.leavesOf('phase', INTAKE).length;
    ledger.commit(act.put(bob, INTAKE, 'a'));
    const log = [ledger.logId('phase', INTAKE)];
    const at = (place: number) => {
      const stored = ledger.leavesOf('phase', INTAKE)[place]!;
      return { position: place, record: stored.transactionId, leaf: stored.leaf };
    };
    const order = (actor: typeof alice, references = [at(position)], phase = INTAKE, scopes = log) =>
      ledger.make(actor, 'filePurge', scopes, [
        { phase, cid: 'bafk', reason: 'asked for', references, elsewhere: [] },
      ]);
    const ack = (
      actor: typeof alice,
      place: number,
      changes: { record?: Hash } = {},
      node = actor.card.peerIds[0]!,
    ) =>
      ledger.make(actor, 'filePurgeAck', log, [
        { phase: INTAKE, node, acks: [{ ...at(place), cid: 'bafk', kept: false, ...changes }] },
      ]);
    return { ledger, act, position, order, ack, log };
  }

  it('are for the owner and stewards, and for participants, in whatever state the phase is', () => {
    const { ledger, act, position, order, ack } = withOrder();
    expect(ledger.commit(order(bob))).toEqual(['roleMissing']);
    expect(ledger.commit(order(dave))).toEqual(['notParticipant']);
    expect(ledger.commit(order(alice))).toEqual(['committed']);
    const place = ledger.leavesOf('phase', INTAKE).length - 1;
    ledger.commit(act.close(alice, INTAKE));
    expect(ledger.commit(order(carol))).toEqual(['committed']);
    expect(ledger.commit(ack(bob, place))).toEqual(['committed']);
    expect(ledger.commit(ack(dave, place))).toEqual(['notParticipant']);
    expect(ledger.commit(ack(bob, place, { record: hashOf('other') }))).toEqual(['unknownRecord']);
    // bob does not speak for a node of somebody else
    expect(ledger.commit(ack(bob, place, {}, alice.card.peerIds[0]))).toEqual(['unknownNode']);
    expect(position).toBeLessThan(place);
  });

  it('name leaves of this phase', () => {
    const { ledger, act, order, position } = withOrder();
    expect(ledger.commit(order(alice, []))).toEqual(['malformed']);
    const stored = ledger.leavesOf('phase', INTAKE)[position]!;
    const forged = { position: position + 1, record: stored.transactionId, leaf: stored.leaf };
    expect(ledger.commit(order(alice, [forged]))).toEqual(['unknownRecord']);
    ledger.commit(act.open(alice, REVIEW));
    const own = { position, record: stored.transactionId, leaf: stored.leaf };
    const review = [ledger.logId('phase', REVIEW)];
    expect(ledger.commit(order(alice, [own], REVIEW, review))).toEqual(['unknownRecord']);
  });
});

describe('phaseHandover', () => {
  function withRecords() {
    const { ledger, act } = runningProject();
    const position = ledger.leavesOf('phase', INTAKE).length;
    ledger.commit(act.put(bob, INTAKE, 'first'), act.put(bob, INTAKE, 'second'));
    return { ledger, act, position };
  }

  it('writes a leaf into both logs; each side gets its own part', () => {
    const { ledger, act, position } = withRecords();
    const review = ledger.leavesOf('phase', REVIEW).length;
    expect(ledger.commit(act.handover(alice, INTAKE, REVIEW, [position, position + 1]))).toEqual([
      'committed',
    ]);
    expect(ledger.leavesOf('phase', REVIEW)).toHaveLength(review + 1);
    expect(ledger.leavesOf('phase', INTAKE).at(-1)?.transactionId).toBe(
      ledger.leavesOf('phase', REVIEW).at(-1)?.transactionId,
    );
  });

  it('is for the source’s owner and stewards, from an open or closed source', () => {
    const { ledger, act, position } = withRecords();
    expect(ledger.commit(act.handover(bob, INTAKE, REVIEW, [position]))).toEqual(['roleMissing']);
    expect(ledger.commit(act.handover(dave, INTAKE, REVIEW, [position]))).toEqual(['notParticipant']);
    const review = ledger.leavesOf('phase', REVIEW).length;
    expect(review).toBe(1);
    ledger.commit(act.close(alice, INTAKE));
    expect(ledger.commit(act.handover(carol, INTAKE, REVIEW, [position]))).toEqual(['committed']);
  });

  it('needs a successor that is not closed, not frozen, and the successor’s current epoch', () => {
    const { ledger, act, position } = withRecords();
    expect(ledger.commit(act.handover(alice, INTAKE, hashOf('none'), [position]))).toEqual(['unknownPhase']);
    const other = hashOf('other');
    ledger.commit(act.addPhase(alice, PROJECT, other, { carol: WRITER }));
    expect(ledger.commit(act.handover(alice, INTAKE, other, [position]))).toEqual(['notSuccessor']);
    const last = hashOf('last');
    ledger.commit(act.addPhase(alice, PROJECT, last, {}, { inProject: { predecessors: [REVIEW] } }));
    expect(ledger.commit(act.handover(alice, REVIEW, last, [0]))).toEqual(['wrongLifecycle']);
    expect(ledger.commit(act.handover(alice, INTAKE, REVIEW, [position], { epoch: 1 }))).toEqual([
      'staleEpoch',
    ]);
    ledger.commit(act.revoke(admin, carol.id));
    expect(ledger.commit(act.handover(alice, INTAKE, REVIEW, [position]))).toEqual(['phaseFrozen']);
    ledger.commit(act.rotateEpoch(alice, REVIEW));
    expect(ledger.commit(act.handover(alice, INTAKE, REVIEW, [position]))).toEqual(['committed']);
    ledger.commit(act.close(alice, REVIEW));
    expect(ledger.commit(act.handover(alice, INTAKE, REVIEW, [position]))).toEqual(['wrongLifecycle']);
  });

  it('[78] hands over nothing but whole, committed records of the source, in order', () => {
    const { ledger, act, position } = withRecords();
    const hand = (positions: number[], changes: Parameters<typeof act.handover>[4] = {}) =>
      ledger.commit(act.handover(alice, INTAKE, REVIEW, positions, changes))[0];
    const item = act.item(INTAKE, position);
    const second = act.item(INTAKE, position + 1);
    expect(hand([])).toBe('malformed');
    expect(hand([position + 1, position])).toBe('malformed');
    expect(hand([position, position])).toBe('malformed');
    expect(hand([position, position + 1], { items: [item] })).toBe('malformed');
    expect(hand([position], { items: [second] })).toBe('malformed');
    expect(hand([0])).toBe('unknownRecord');
    expect(hand([position], { ids: [hashOf('x')] })).toBe('unknownRecord');
    expect(hand([position], { items: [{ ...item, leaf: second.leaf }] })).toBe('unknownRecord');
    expect(hand([position], { items: [{ ...item, body: second.body }] })).toBe('unknownRecord');
    expect(hand([position], { items: [{ ...item, payload: second.payload }] })).toBe('unknownRecord');
    expect(hand([position], { items: [{ ...item, meta: second.meta }] })).toBe('unknownRecord');
    const body = decodeBody(item.body);
    if (isReject(body)) throw new Error(body.detail);
    const ofAnother = { ...item, body: encodeBody({ ...body, sender: carol.id }) };
    expect(hand([position], { items: [ofAnother] })).toBe('unknownRecord');
    ledger.commit(act.put(bob, INTAKE, 'refused', 7));
    expect(hand([ledger.leavesOf('phase', INTAKE).length - 1])).toBe('unknownRecord');
    expect(hand([position])).toBe('committed');
  });

  it('[78] takes no record without the proof of its author', () => {
    const { ledger, act, position } = withRecords();
    const item = act.item(INTAKE, position);
    const hand = (change: object) =>
      ledger.commit(act.handover(alice, INTAKE, REVIEW, [position], { items: [{ ...item, ...change }] }))[0];
    expect(hand({ signature: item.signature.map(byte => byte ^ 1) })).toBe('unknownRecord');
    expect(hand({ signature: act.item(INTAKE, position + 1).signature })).toBe('unknownRecord');
    const { batch } = item;
    expect(hand({ batch: { ...batch, treeSize: batch.treeSize + 1 } })).toBe('unknownRecord');
    expect(hand({ batch: { ...batch, path: [...batch.path, hashOf('x')] } })).toBe('unknownRecord');
    // The key of the leaf's height counts, not the one of now; a revoked author stays the author.
    ledger.commit(act.rotate(bob, createActor('bob', 1)));
    ledger.commit(act.revoke(admin, bob.id));
    expect(hand({})).toBe('committed');
  });

  /** Review has received both records of intake in one handover, and hands over to `last`. */
  function withReceived() {
    const { ledger, act, position } = withRecords();
    const last = hashOf('last');
    ledger.commit(act.open(alice, REVIEW));
    ledger.commit(act.addPhase(alice, PROJECT, last, {}, { inProject: { predecessors: [REVIEW] } }));
    ledger.commit(act.put(carol, REVIEW, 'of review'), act.put(bob, INTAKE, 'kept in intake'));
    expect(ledger.commit(act.handover(alice, INTAKE, REVIEW, [position, position + 1]))).toEqual([
      'committed',
    ]);
    const received = ledger.leavesOf('phase', REVIEW).length - 1;
    const hand = (places: HandoverPlaces, changes: Parameters<typeof act.handover>[4] = {}) =>
      ledger.commit(act.handover(alice, REVIEW, last, places, changes))[0];
    return { ledger, act, position, last, received, hand };
  }

  it('hands on what was received together with what was written, each once and in order', () => {
    const { hand, received, act } = withReceived();
    const [first, second] = [0, 1].map(item => ({ position: received, item }));
    const own = received - 1;
    expect(hand([first!, second!, own])).toBe('malformed');
    expect(hand([own, second!, first!])).toBe('malformed');
    expect(hand([own, first!, first!])).toBe('malformed');
    expect(hand([first!], { items: [act.item(REVIEW, received, 1)] })).toBe('malformed');
    expect(hand([first!], { root: hashOf('another root') })).toBe('malformed');
    expect(hand([first!], { count: 2 })).toBe('malformed');
    expect(hand([own, first!, second!])).toBe('committed');
    expect(act.item(REVIEW, received, 0).relay!.path).toHaveLength(1);
  });

  it('the same record, received twice, is handed on once', () => {
    const { ledger, act, hand, position, received } = withReceived();
    ledger.commit(act.handover(alice, INTAKE, REVIEW, [position]));
    const [once, again] = [received, received + 1].map(at => ({ position: at, item: 0 }));
    expect(hand([once!, again!])).toBe('malformed');
    expect(hand([again!])).toBe('committed');
  });

  it('[78] refuses a record that the source never received, and one that was changed on the way', () => {
    const { ledger, act, hand, position, received } = withReceived();
    const place = { position: received, item: 0 };
    const item = act.item(REVIEW, received, 0);
    const relay = item.relay!;
    const other = act.item(REVIEW, received, 1);
    const forged = (change: object, id?: Hash) =>
      hand([place], { items: [{ ...item, ...change }], ...(id === undefined ? {} : { ids: [id] }) });
    const relayed = (change: object) => forged({ relay: { ...relay, ...change } });
    const { relay: _, ...never } = act.item(INTAKE, position + 2);
    const neverId = ledger.leavesOf('phase', INTAKE)[position + 2]!.transactionId;
    expect(forged({ ...never, position: received }, neverId)).toBe('unknownRecord');
    expect(forged({ meta: other.meta })).toBe('unknownRecord');
    expect(forged({ payload: other.payload })).toBe('unknownRecord');
    expect(forged({ signature: other.signature.map(byte => byte ^ 1) })).toBe('unknownRecord');
    expect(forged({ body: other.body })).toBe('unknownRecord');
    expect(forged({ leaf: other.leaf })).toBe('unknownRecord');
    expect(hand([{ ...place, item: 1 }], { items: [{ ...item, relay: { ...relay, item: 1 } }] })).toBe(
      'unknownRecord',
    );
    expect(hand([{ ...place, item: 2 }], { items: [{ ...item, relay: { ...relay, item: 2 } }] })).toBe(
      'unknownRecord',
    );
    expect(relayed({ path: [] })).toBe('unknownRecord');
    expect(relayed({ salt: other.relay!.salt })).toBe('unknownRecord');
    const step = { source: INTAKE, handover: hashOf('h'), sender: bob.id, position: 1, height: 1, timeMs: 1 };
    expect(relayed({ steps: [step] })).toBe('unknownRecord');
    expect(relayed({ target: { ...relay.target, salt: relay.salt } })).toBe('unknownRecord');
    expect(hand([place])).toBe('committed');
  });

  it('[78] refuses a record that an invented handover has brought, under the leaf of a real one', () => {
    const { ledger, act, hand, position, received } = withReceived();
    const { relay } = act.item(REVIEW, received, 0);
    const never = act.item(INTAKE, position + 2);
    const content = encodePhaseHandoverTarget({
      ...{ phase: REVIEW, source: INTAKE, epoch: 0 },
      ...{ itemCount: 1, itemsRoot: itemHash(never) },
    });
    const target = { salt: never.salt, content };
    const body = decodeBody(relay!.body);
    if (isReject(body)) throw new Error(body.detail);
    const parts = body.parts.with(1, { scope: 1, hash: partHash(nodeSuite.sha256, target) });
    const forged = { ...relay!, body: encodeBody({ ...body, parts }), target, path: [], salt: never.salt };
    const item = { ...never, position: received, relay: forged };
    const ids = [ledger.leavesOf('phase', INTAKE)[position + 2]!.transactionId];
    expect(hand([{ position: received, item: 0 }], { items: [item], ids })).toBe('unknownRecord');
  });

  it('[78] takes for an earlier handover only one that the source received and that was committed', () => {
    const { ledger, act, hand, position, received } = withReceived();
    const item = act.item(REVIEW, received, 0);
    const given = ledger.leavesOf('phase', INTAKE).length - 1;
    const gave = ledger.leavesOf('phase', INTAKE)[given]!.leaf;
    const own = { ...item, position: given, relay: { ...item.relay!, leaf: gave } };
    const giving = act.handover(alice, INTAKE, REVIEW, [position], { items: [own] });
    expect(ledger.commit(giving)).toEqual(['malformed']);
    const asGiven = act.handover(alice, INTAKE, REVIEW, [{ position: given, item: 0 }], { items: [own] });
    expect(ledger.commit(asGiven)).toEqual(['unknownRecord']);
    expect(ledger.commit(act.handover(carol, INTAKE, REVIEW, [position], { epoch: 1 }))).toEqual([
      'staleEpoch',
    ]);
    ledger.commit(act.handover(alice, INTAKE, REVIEW, [position], { epoch: 1 }));
    const refused = ledger.leavesOf('phase', REVIEW).length - 1;
    expect(hand([{ position: refused, item: 0 }])).toBe('unknownRecord');
    expect(hand([received])).toBe('unknownRecord');
  });

  it('an approver alone writes no record', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.changeRole(alice, INTAKE, carol.id, ROLES.approver));
    expect(ledger.commit(act.put(carol, INTAKE, 'a'))).toEqual(['roleMissing']);
  });
});
