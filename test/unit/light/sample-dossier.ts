import type { MemberId } from '../../../src/core/base/ids.ts';
import { logIdOf } from '../../../src/core/codec/transaction.ts';
import type { Claim } from '../../../src/core/light/claims.ts';
import { type Dossier, NOTHING_SHOWN } from '../../../src/core/light/dossier.ts';
import { proveField } from '../../../src/core/light/fields.ts';
import { consistencyProof } from '../../../src/core/merkle/log.ts';
import { CARD_KEY } from './sample-card.ts';
import { hashOf, sampleChain, sha256, validatorKeys } from './test-chain.ts';
import { addRecord, CID, contentKey, fields, handOver, saltOf } from './test-records.ts';

/** Two set changes, records of bob under two keys, one of them handed over: something of everything. */
export function sampleDossier() {
  const { chain, system, a, b } = sampleChain(1);
  chain.seal([], { nextKeys: validatorKeys(1, 5) });
  const first = addRecord(chain, a, 'bob', 'bob', 0);
  const middle = chain.head;
  const middleLog = { scope: a.scope, id: a.id, ...chain.provenEntry(a) };
  chain.seal([], { nextKeys: validatorKeys(2) });
  const second = addRecord(chain, a, 'bob', 'bob 2', 1);
  const handed = handOver(chain, a, b, first);
  const place = { logId: a.logId, position: second, item: null };
  const content: Dossier = {
    setChanges: chain.setChanges,
    head: chain.head,
    map: chain.openMap(system, a, b),
    members: chain.provenMembers(system),
    logs: [a, b].map(log => chain.dossierLog(log)),
    ...NOTHING_SHOWN,
    openings: [
      { ...place, contentKey },
      { logId: b.logId, position: handed, item: 0, contentKey },
    ],
    fields: [{ ...place, field: proveField(sha256, fields, saltOf, 'data.amount')! }],
    files: [{ logId: a.logId, position: first, item: null, cid: CID, ciphertextBytes: 4096 }],
    claims: [{ type: 'record', place }],
  };
  const sealed = [{ ...place, recipient: new Uint8Array(33).fill(2), sealed: new Uint8Array(113) }];
  return { chain, system, a, b, first, middle, middleLog, second, handed, content, sealed };
}

/** A true claim of every type, in the order of their numbers. */
export function sampleClaims({
  chain,
  a,
  second,
  middle,
  middleLog,
}: ReturnType<typeof sampleDossier>): Claim[] {
  const { logId } = a;
  const absent = hashOf('phase that is not there');
  const at = (position: number) => a.hashes[position]!;
  const path = consistencyProof(sha256, at, middleLog.entry.size, a.hashes.length);
  const { scope, id, entry, siblings } = middleLog;
  return [
    { type: 'record', place: { logId, position: second, item: null } },
    { type: 'range', logId, unit: 'height', from: 2, to: 5 },
    { type: 'noRecord', logId, id: absent },
    {
      type: 'noLog',
      ref: { scope: 'phase', id: absent },
      proof: chain.absence(logIdOf(sha256, chain.chainId, 'phase', absent)),
    },
    { type: 'consistency', earlier: middle, logs: [{ scope, id, entry, siblings, path }] },
    { type: 'participants', logId, height: 7 },
    { type: 'epoch', logId, height: 4 },
    { type: 'memberKey', member: 'bob' as MemberId, height: 4 },
    { type: 'card', logId, contentKey: CARD_KEY },
  ];
}

/** Numerical Recipes' linear congruential generator: enough to pick offsets. */
export function randomFrom(start: number): (below: number) => number {
  let state = start >>> 0;
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
