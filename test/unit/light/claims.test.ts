import { describe, expect, it } from 'vitest';
import type { MemberId } from '../../../src/core/base/ids.ts';
import { isoTime } from '../../../src/core/base/time.ts';
import type { Claim } from '../../../src/core/light/claims.ts';
import type { Dossier } from '../../../src/core/light/dossier.ts';
import { buildDossier, decodeDossier } from '../../../src/core/light/dossier-codec.ts';
import { verifyDossier } from '../../../src/core/light/dossier-verify.ts';
import { openPayload } from '../../../src/crypto/record-cipher.ts';
import { CARD_KEY } from './sample-card.ts';
import { sampleClaims, sampleDossier } from './sample-dossier.ts';
import { hashOf, recordIdOf, sha256, suite } from './test-chain.ts';

const sample = sampleDossier();
const { chain, a, b, second, handed } = sample;
const claims = sampleClaims(sample);
const { logId } = a;

function verdictOf(changed: Partial<Dossier>) {
  const file = buildDossier(sha256, { ...sample.content, openings: [], fields: [], files: [], ...changed });
  return verifyDossier(suite, file, chain.anchor, { openPayload });
}

/** What the file with this one claim proves, or why it does not. */
function said(claim: Claim, changed: Partial<Dossier> = {}): string {
  const checks = verdictOf({ claims: [claim], ...changed }).checks;
  const found = checks.find(check => check.name.startsWith('proven: '))!;
  return `${found.ok ? 'proven' : 'refused'}: ${found.detail}`;
}

const leaves = (from: number, to: number) => ({
  logs: sample.content.logs.with(0, chain.dossierLog(a, from, to)),
});

describe('the claims of a proof', () => {
  it('are proven by evidence, and survive their encoding', () => {
    const verdict = verdictOf({ claims });
    expect(verdict.checks.filter(check => !check.ok)).toEqual([]);
    const file = buildDossier(sha256, { ...sample.content, claims });
    expect(decodeDossier(sha256, file)).toMatchObject({ claims });
    expect(
      verdict.checks.filter(check => check.name.startsWith('proven')).map(check => check.detail),
    ).toEqual([
      `${recordIdOf(a, second)}, written by bob at height 6, 1970-01-01T00:00:06.000Z`,
      expect.stringMatching(/^3 leaves, 1 of them records; none is missing as of height 7/),
      'none of all 6 leaves as of height 7',
      'not in the map of height 7',
      expect.stringContaining('went on from 4 to 6 leaves'),
      'alice (reader, contributor, approver, steward); bob (reader, contributor); owner alice',
      expect.stringMatching(/^epoch 1, opened at height 1; public key 0[23]/),
      expect.stringMatching(/^key 0: 0[23][0-9a-f]{64}$/),
      '"intake" of project "permits"',
    ]);
  });

  it('name a phase by its card only with the key of that card', () => {
    const contentKey = new Uint8Array(32).fill(8);
    expect(said({ type: 'card', logId, contentKey })).toContain('refused: wrong_key');
    expect(said({ type: 'card', logId: b.logId, contentKey })).toContain('refused');
    const logs = sample.content.logs.with(0, { ...chain.dossierLog(a, 0, 6), state: null });
    expect(said({ type: 'card', logId, contentKey: CARD_KEY }, { logs })).toContain('no_state');
  });

  it('[77] say no where another leaf stands, or none is shown, and which record it is where one is', () => {
    const place = { logId, position: second, item: null };
    expect(said({ type: 'record', place: { ...place, position: 0 } })).toContain('not_a_record');
    expect(said({ type: 'record', place }, leaves(0, second))).toContain('unknown_record');
    expect(said({ type: 'record', place }, leaves(second, second + 1))).toContain('proven');
    const inHandover = { logId: b.logId, position: handed, item: 0 };
    const original = `proven: ${recordIdOf(a, sample.first)}, written by bob`;
    expect(said({ type: 'record', place: inHandover })).toContain(original);
  });

  it('[77] know a range by a leaf outside on each side, or by the ends of the log', () => {
    // Heights of the leaves: 1, 2, 2, 4, 6, 7.
    const range = (from: number, to: number, unit: 'position' | 'height' | 'time' = 'height'): Claim => {
      return { type: 'range', logId, unit, from, to };
    };
    expect(said(range(2, 5), leaves(0, 5))).toContain('proven: 3 leaves');
    expect(said(range(2, 5), leaves(1, 5))).toContain('withheld');
    expect(said(range(2, 5), leaves(0, 4))).toContain('withheld');
    expect(said(range(3, 4), leaves(2, 4))).toContain('proven: 0 leaves');
    expect(said(range(0, 99))).toContain('proven: 6 leaves');
    expect(said(range(6, 99), leaves(3, 6))).toContain('proven: 2 leaves');
    expect(said(range(6, 99), leaves(3, 5))).toContain('withheld');
    expect(said(range(2000, 4001, 'time'), leaves(0, 5))).toContain('proven: 3 leaves');
    expect(said(range(2000, 4001, 'time'), leaves(0, 4))).toContain('withheld');
    expect(said(range(2, 4, 'position'), leaves(2, 4))).toContain('proven: 2 leaves');
    expect(said(range(1, 4, 'position'), leaves(2, 4))).toContain('withheld');
    expect(said(range(2, 5, 'position'), leaves(2, 4))).toContain('withheld');
    expect(said(range(4, 99, 'position'), leaves(4, 6))).toContain('proven: 2 leaves');
    const { logs } = sample.content;
    const uncertified = logs.with(0, { ...logs[0]!, digest: hashOf('x') });
    expect(said(range(2, 5), { logs: uncertified })).toContain('unknown_log');
  });

  it('[77] do not say that a record is absent which is there, was handed over, or may be in what is not shown', () => {
    const none = (id: Claim & { type: 'noRecord' }, changed = {}) => said(id, changed);
    expect(none({ type: 'noRecord', logId, id: recordIdOf(a, second) })).toContain('there_it_is');
    const received = recordIdOf(a, sample.first);
    expect(none({ type: 'noRecord', logId: b.logId, id: received })).not.toContain('proven');
    const absent = { type: 'noRecord', logId, id: hashOf('absent') } as const;
    expect(none(absent, leaves(0, 5))).toContain('withheld');
    expect(none(absent, leaves(1, 6))).toContain('withheld');
    expect(none(absent, leaves(0, 6))).toContain('proven');
  });

  it('do not say that a log is absent which is there', () => {
    const absent = claims[3] as Claim & { type: 'noLog' };
    expect(said({ ...absent, ref: { scope: 'phase', id: a.id } })).toContain('bad_map_proof');
    expect(said({ ...absent, proof: chain.absence(logId) })).toContain('bad_map_proof');
  });

  it('[76] do not say that a head goes on from one that is forged, later, or of another log', () => {
    const claim = claims[4] as Claim & { type: 'consistency' };
    const forged = { ...claim.earlier.header, mapRoot: hashOf('forged') };
    expect(said({ ...claim, earlier: { ...claim.earlier, header: forged } })).toContain('wrong_block');
    expect(said({ ...claim, earlier: sample.content.head })).toContain('bad_map_proof');
    const [log] = claim.logs;
    expect(said({ ...claim, logs: [{ ...log!, path: log!.path.slice(1) }] })).toContain('bad_consistency');
    expect(said({ ...claim, logs: [{ ...log!, id: b.id }] })).toContain('bad_map_proof');
    const size = { ...log!, entry: { ...log!.entry, size: 3 } };
    expect(said({ ...claim, logs: [size] })).toContain('bad_map_proof');
    expect(said(claim, { setChanges: sample.content.setChanges.slice(1) })).toContain('refused');
  });

  it('do not say who was in a phase at a height that the evidence does not reach', () => {
    const at = (height: number): Claim => ({ type: 'participants', logId, height });
    expect(said(at(8))).toContain('future_height');
    expect(said(at(7), leaves(5, 6))).toContain('proven');
    expect(said(at(7), leaves(4, 5))).toContain('withheld');
    expect(said(at(6), leaves(4, 6))).toContain('withheld');
    const stateless = { logs: sample.content.logs.with(0, { ...chain.dossierLog(a), state: null }) };
    expect(said({ type: 'epoch', logId, height: 4 }, stateless)).toContain('no_state');
    expect(said({ type: 'epoch', logId, height: 0 })).toContain('not_there_yet');
  });

  it('[91] name the key of the height', () => {
    const at = (height: number, member = 'bob') =>
      said({ type: 'memberKey', member: member as MemberId, height });
    expect(at(4)).toContain('key 0');
    expect(at(5)).toContain('key 1');
    expect(at(8)).toContain('future_height');
    expect(at(4, 'carol')).toContain('unknown_member');
  });

  it('[80] never prove the same of a changed claim', () => {
    const file = buildDossier(sha256, { ...sample.content, claims });
    const before = verifyDossier(suite, file, chain.anchor, { openPayload }).checks.map(check =>
      JSON.stringify(check),
    );
    for (const [index, claim] of claims.entries()) {
      for (const [key, value] of Object.entries(claim)) {
        if (typeof value === 'object' || key === 'type') continue;
        const texts: Record<string, string> = { unit: 'position', member: 'carol', logId: b.logId };
        const other = typeof value === 'number' ? value + 1 : (texts[key] ?? hashOf('changed'));
        const changed = claims.with(index, { ...claim, [key]: other } as Claim);
        const after = verdictOf({ ...sample.content, claims: changed }).checks.map(check =>
          JSON.stringify(check),
        );
        expect(after.filter(line => !before.includes(line)).length, `${claim.type} ${key}`).toBeGreaterThan(
          0,
        );
      }
    }
  });
});

describe('times in words', () => {
  it('are those of Date, over four centuries and around leap days', () => {
    const days = [0, 58, 59, 60, 364, 365, 789, 790, 11_016, 11_017, 47_540, 47_541, 146_096];
    for (const day of days) {
      for (const ms of [0, 1, 86_399_999, 45_296_789]) {
        expect(isoTime(day * 86_400_000 + ms)).toBe(new Date(day * 86_400_000 + ms).toISOString());
      }
    }
    expect(isoTime(Number.MAX_SAFE_INTEGER)).toBe(`${Number.MAX_SAFE_INTEGER} ms after 1970`);
  });
});
