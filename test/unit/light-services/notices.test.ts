import { describe, expect, it } from 'vitest';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import type { Transaction } from '../../../src/core/types/transaction.ts';
import { Notices, touchedMembers } from '../../../src/services/light-server/notices.ts';
import { createActor, hashOf } from '../../support/ledger-kit.ts';
import {
  admin,
  alice,
  bob,
  both,
  networkWithPhase,
  owner,
  phase,
  project,
} from '../../support/light-phase.ts';
import { ManualClock } from '../files/manual-clock.ts';

const [a, b, c] = ['alice', 'bob', 'carol'] as MemberId[] as [MemberId, MemberId, MemberId];

function setUp() {
  const clock = new ManualClock();
  const told: string[] = [];
  const guests = [a, b, c].map(member => ({ member, tell: () => told.push(member) }));
  const notices = new Notices(clock, { noticeIntervalMs: 10, idleNoticeMs: 1_000 }, () => guests);
  const heard = () => told.splice(0).sort().join(' ');
  return { clock, notices, heard };
}

describe('notices of new heads', () => {
  it('reach those at once whose logs have changed, and the others once a second', () => {
    const { clock, notices, heard } = setUp();
    notices.committed(new Set([a]));
    expect(heard()).toBe('alice');
    clock.advance(10);
    for (let block = 0; block < 98; block += 1) {
      notices.committed(new Set([a]));
      expect(heard()).toBe('alice');
      clock.advance(10);
    }
    expect(heard()).toBe('');
    clock.advance(20);
    expect(heard()).toBe('alice bob carol');
    clock.advance(60_000);
    expect(heard()).toBe('');
  });

  it('gather what comes within the shortest interval', () => {
    const { clock, notices, heard } = setUp();
    notices.committed(new Set([a]));
    heard();
    notices.committed(new Set([b]));
    notices.committed(new Set());
    expect(heard()).toBe('');
    clock.advance(10);
    expect(heard()).toBe('bob');
  });

  it('reach everybody when the system log has changed, and nobody after the end', () => {
    const { clock, notices, heard } = setUp();
    notices.committed(null);
    expect(heard()).toBe('alice bob carol');
    notices.committed(new Set([a]));
    notices.stop();
    clock.advance(60_000);
    expect(heard()).toBe('');
  });

  it('are for the owner, the participants and who was just removed', () => {
    const net = networkWithPhase();
    const touched = (transaction: Transaction) => {
      const execution = net.ledger.execute([transaction]);
      if (isReject(execution)) throw new Error(execution.detail);
      net.ledger.keep(execution);
      const members = touchedMembers(net.ledger.state, execution.diff);
      return members === null ? 'everybody' : [...members].sort().join(' ');
    };
    const { actions } = net;
    expect(touched(actions.put(alice, phase, 'one'))).toBe('alice owner');
    const other = hashOf('other') as PhaseId;
    expect(touched(actions.addPhase(owner, project, other, { bob: both }))).toBe('bob owner');
    expect(touched(actions.removeParticipant(owner, other, bob.id))).toBe('bob owner');
    expect(touched(actions.open(owner, other))).toBe('bob owner');
    expect(touched(actions.register(admin, createActor('carol')))).toBe('everybody');
  });
});
