import { describe, expect, it } from 'vitest';
import { ZERO_HASH } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { headerHash, validatorSetHash } from '../../../src/core/codec/chain.ts';
import { checkCertificate } from '../../../src/core/light/certificate.ts';
import {
  checkFreshHead,
  decodeFreshHead,
  encodeFreshHead,
  type FreshHeadStatement,
  freshHeadBytes,
} from '../../../src/core/light/fresh-head.ts';
import { advanceTrust, genesisTrust, isForkReject, type Trust } from '../../../src/core/light/trust.ts';
import type { Header } from '../../../src/core/types/chain.ts';
import { certify, hashOf, ok, sampleChain, sha256, suite, TestChain, validatorKeys } from './test-chain.ts';

const plain = sampleChain();
const keys = validatorKeys(0);
const { header } = plain.chain.head;
const code = (value: unknown) => (isReject(value) ? value.reject : value);
const check = (signers: readonly number[], set = keys.set, of: Header = header) =>
  code(
    checkCertificate(
      suite,
      plain.chain.chainId,
      { header: of, certificate: certify(of, keys, signers) },
      set,
    ),
  );

describe('certificates', () => {
  it('accepts a quorum and all of the set', () => {
    expect(check([0, 1, 2])).toBeNull();
    expect(check([0, 1, 3])).toBeNull();
    expect(check([0, 1, 2, 3])).toBeNull();
  });

  it('[75] refuses a short certificate', () => {
    expect(check([0, 1])).toBe('short_certificate');
    expect(check([])).toBe('short_certificate');
  });

  it('[75] refuses a duplicate signer and signers out of order', () => {
    expect(check([0, 1, 1])).toBe('duplicate_signer');
    expect(check([0, 2, 1])).toBe('signer_order');
    expect(check([1, 2, 0, 3])).toBe('signer_order');
  });

  it('[75] refuses an unknown signer', () => {
    const certificate = certify(header, keys);
    const signatures = certificate.signatures.with(2, { ...certificate.signatures[2]!, signer: 4 });
    const forged = { header, certificate: { ...certificate, signatures } };
    expect(code(checkCertificate(suite, plain.chain.chainId, forged, keys.set))).toBe('unknown_signer');
  });

  it('[75] refuses a wrong set, an empty set and a set with a key twice', () => {
    expect(check([0, 1, 2], validatorKeys(1).set)).toBe('wrong_set');
    expect(check([0, 1, 2], { id: 0, validators: validatorKeys(1).set.validators })).toBe('wrong_set');
    expect(check([], { id: 0, validators: [] })).toBe('empty_set');
    const twice = { id: 0, validators: [keys.set.validators[0]!, ...keys.set.validators.slice(0, 3)] };
    expect(check([0, 1, 2], twice)).toBe('duplicate_key');
  });

  it('[76] refuses signatures that are of another signer, view, block, chain or set', () => {
    const certificate = certify(header, keys);
    const of = (changed: Partial<typeof certificate>) =>
      code(
        checkCertificate(
          suite,
          plain.chain.chainId,
          { header, certificate: { ...certificate, ...changed } },
          keys.set,
        ),
      );
    const swapped = [1, 0, 2].map((from, signer) => ({
      signer,
      signature: certificate.signatures[from]!.signature,
    }));
    expect(of({ signatures: swapped })).toBe('bad_signature');
    expect(of({ view: 3 })).toBe('bad_signature');
    expect(of({ newViewDigest: ZERO_HASH })).toBe('bad_signature');
    expect(of({ validatorSetId: 1 })).toBe('wrong_set');
    expect(of({ height: header.height + 1 })).toBe('wrong_block');
    expect(of({ blockHash: hashOf('other') })).toBe('wrong_block');
    expect(code(checkCertificate(suite, hashOf('other'), plain.chain.head, keys.set))).toBe('wrong_chain');
    const forged = { header: { ...header, mapRoot: hashOf('forged') }, certificate };
    expect(code(checkCertificate(suite, plain.chain.chainId, forged, keys.set))).toBe('wrong_block');
  });

  it('counts quorums of sets whose size is not 3f + 1', () => {
    for (const [count, quorum] of [
      [1, 1],
      [2, 2],
      [3, 2],
      [5, 4],
      [6, 4],
      [7, 5],
    ] as const) {
      const chain = new TestChain(count);
      chain.seal([]);
      const own = validatorKeys(0, count);
      const signers = Array.from({ length: quorum }, (_, index) => index);
      const certified = { header: chain.head.header, certificate: certify(chain.head.header, own, signers) };
      const short = { ...certified, certificate: certify(chain.head.header, own, signers.slice(1)) };
      expect(checkCertificate(suite, chain.chainId, certified, own.set)).toBeNull();
      expect(code(checkCertificate(suite, chain.chainId, short, own.set))).toBe('short_certificate');
    }
  });
});

/** Set changes at every third block; the last set decides the head. */
function changingChain(changes: number) {
  const chain = new TestChain();
  for (let id = 1; id <= changes; id += 1) {
    chain.seal([]);
    chain.seal([], { nextKeys: validatorKeys(id, 4 + (id % 3)) });
    chain.seal([]);
  }
  return chain;
}

describe('skip verification', () => {
  it('[79] follows many set changes at once, and verifies nothing in between', () => {
    const chain = changingChain(25);
    const trust = ok(
      advanceTrust(suite, chain.genesis(), { setChanges: chain.setChanges, head: chain.head }),
    );
    expect(trust.header.height).toBe(75);
    expect(trust.set.id).toBe(25);
    expect(advanceTrust(suite, trust, { setChanges: [], head: chain.head })).toBe(trust);
  });

  it('[79] goes on in pieces, the head being a set change itself', () => {
    const chain = changingChain(4);
    let trust: Trust = chain.genesis();
    for (const change of chain.setChanges) {
      trust = ok(advanceTrust(suite, trust, { setChanges: [change], head: change.certified }));
      expect(trust.set).toEqual(change.nextSet);
    }
    expect(ok(advanceTrust(suite, trust, { setChanges: [], head: chain.head })).header.height).toBe(12);
  });

  it('[76] refuses a head whose set changes are withheld, in part, reordered or replaced', () => {
    const chain = changingChain(3);
    const from = chain.genesis();
    const [one, two, three] = chain.setChanges as [never, never, never];
    const advance = (setChanges: readonly never[]) =>
      code(advanceTrust(suite, from, { setChanges, head: chain.head }));
    expect(advance([])).toBe('wrong_set');
    expect(advance([one, three])).toBe('wrong_set');
    expect(advance([two, one, three])).toBe('wrong_set');
    const wrongNext = { ...chain.setChanges[1]!, nextSet: validatorKeys(9).set };
    expect(advance([one, wrongNext as never, three])).toBe('wrong_next_set');
    const noChange = { certified: chain.certified(1), nextSet: from.set };
    expect(advance([noChange as never, one, two, three])).toBe('no_set_change');
    expect(code(advanceTrust(suite, from, { setChanges: [], head: chain.setChanges[0]!.certified }))).toBe(
      'set_change_withheld',
    );
  });

  it('[76] refuses the keys of an old set after a set change', () => {
    const chain = changingChain(1);
    const trust = ok(
      advanceTrust(suite, chain.genesis(), { setChanges: chain.setChanges, head: chain.head }),
    );
    const forged: Header = {
      ...trust.header,
      height: 9,
      timeMs: 99_000,
      mapRoot: hashOf('forged'),
      validatorSetId: 0,
      validatorSetHash: validatorSetHash(sha256, keys.set),
      nextValidatorSetHash: validatorSetHash(sha256, keys.set),
    };
    const head = { header: forged, certificate: certify(forged, keys) };
    expect(code(advanceTrust(suite, trust, { setChanges: [], head }))).toBe('wrong_set');
  });

  it('[76] never goes back', () => {
    const { chain } = plain;
    const trust = ok(advanceTrust(suite, chain.genesis(), { setChanges: [], head: chain.head }));
    const older = advanceTrust(suite, trust, { setChanges: [], head: chain.certified(2) });
    expect(older).toMatchObject({ reject: 'stale_head', peer: 'ignore' });
    const early: Header = { ...header, height: header.height + 2, timeMs: header.timeMs };
    const backwards = { header: early, certificate: certify(early, keys) };
    expect(code(advanceTrust(suite, trust, { setChanges: [], head: backwards }))).toBe('time_backwards');
    const hidden: Header = { ...early, timeMs: 99_000, previousSetChangeHeight: 3 };
    const withheld = { header: hidden, certificate: certify(hidden, keys) };
    expect(code(advanceTrust(suite, trust, { setChanges: [], head: withheld }))).toBe('set_change_withheld');
  });

  it('[76] shows a fork with both headers and their signatures, at the same height and at the next', () => {
    const { chain } = plain;
    const trust = ok(advanceTrust(suite, chain.genesis(), { setChanges: [], head: chain.head }));
    const other: Header = { ...header, mapRoot: hashOf('another result') };
    const next: Header = {
      ...other,
      height: header.height + 1,
      timeMs: 99_000,
      parentHash: headerHash(sha256, other),
    };
    for (const conflicting of [other, next]) {
      const head = { header: conflicting, certificate: certify(conflicting, keys) };
      const fork = advanceTrust(suite, trust, { setChanges: [], head });
      if (!isForkReject(fork)) throw new Error(`expected a fork, not ${code(fork)}`);
      expect(fork.conflicting.certified).toEqual(head);
      expect(fork.trusted.header).toEqual(header);
      expect(fork.trusted.certificate).toEqual(chain.head.certificate);
      expect(fork.trusted.set).toEqual(keys.set);
    }
    const unproven = { header: other, certificate: certify(other, keys, [0, 1]) };
    expect(code(advanceTrust(suite, trust, { setChanges: [], head: unproven }))).toBe('short_certificate');
  });

  it('refuses an anchor that is not genesis or names another set', () => {
    const { genesisHeader, genesisSet } = plain.chain.anchor;
    expect(code(genesisTrust(suite, header, genesisSet))).toBe('wrong_anchor');
    expect(code(genesisTrust(suite, genesisHeader, validatorKeys(1).set))).toBe('wrong_set');
    expect(code(genesisTrust(suite, genesisHeader, { id: 0, validators: [] }))).toBe('empty_set');
  });
});

describe('fresh heads', () => {
  const trust = ok(advanceTrust(suite, plain.chain.genesis(), { setChanges: [], head: plain.chain.head }));
  const nonce = new Uint8Array(32).fill(5);
  const state = (signer: number, height = trust.header.height, asked = nonce): FreshHeadStatement => {
    const blockHash = headerHash(sha256, plain.chain.blocks[height]!.header);
    const subject = { validatorSetId: 0, height, blockHash };
    const signature = keys.signers[signer]!.sign(freshHeadBytes(trust.header.chainId, asked, subject));
    return { ...subject, signer, signature };
  };

  it('[76] takes f + 1 validators that answered this nonce, some a little behind', () => {
    expect(checkFreshHead(suite, trust, nonce, [state(0), state(3)])).toBeNull();
    expect(checkFreshHead(suite, trust, nonce, [state(0, 3), state(2)])).toBeNull();
    const statement = state(1);
    expect(decodeFreshHead(encodeFreshHead(statement))).toEqual(statement);
  });

  it('[76] does not call a stale head fresh', () => {
    const old: Trust = {
      ...trust,
      header: plain.chain.blocks[2]!.header,
      hash: headerHash(sha256, plain.chain.blocks[2]!.header),
    };
    expect(code(checkFreshHead(suite, old, nonce, [state(0), state(1), state(2), state(3)]))).toBe(
      'not_fresh',
    );
    expect(code(checkFreshHead(suite, trust, nonce, [state(0)]))).toBe('not_fresh');
    expect(code(checkFreshHead(suite, trust, nonce, [state(0), state(0)]))).toBe('not_fresh');
    const replayed = new Uint8Array(32).fill(6);
    expect(code(checkFreshHead(suite, trust, replayed, [state(0), state(1), state(2)]))).toBe('not_fresh');
    const equivocating = { ...state(1), blockHash: hashOf('other') };
    const unknown = { ...state(2), signer: 7 };
    const oldSet = { ...state(3), validatorSetId: 3 };
    expect(code(checkFreshHead(suite, trust, nonce, [equivocating, unknown, oldSet, state(0)]))).toBe(
      'not_fresh',
    );
  });

  it('lets a bad statement hide no good one', () => {
    const bad = { ...state(0), signature: new Uint8Array(64) };
    expect(checkFreshHead(suite, trust, nonce, [bad, state(0), state(1)])).toBeNull();
  });
});
