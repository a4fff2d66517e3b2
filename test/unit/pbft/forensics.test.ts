import { describe, expect, it } from 'vitest';
import { headerHash } from '../../../src/core/codec/chain.ts';
import { traceConflict } from '../../../src/core/pbft/forensics.ts';
import type { PreparedProof, Vote } from '../../../src/core/pbft/messages.ts';
import { newViewDigest } from '../../../src/core/pbft/signing.ts';
import type { Block, Certificate } from '../../../src/core/types/chain.ts';
import { CHAIN_ID } from '../../support/toy-ledger.ts';
import { Consortium, suite } from './kit.ts';

const consortium = new Consortium(4);
const { reign } = consortium;
const one = consortium.block(consortium.genesis, 'one');
const twin = consortium.block(consortium.genesis, 'twin');

/** A certificate by exactly these signers. */
function certify(
  kind: Vote['kind'],
  block: Block,
  signers: readonly number[],
  view = 0,
  digest?: Certificate['newViewDigest'],
) {
  const plain = consortium.certificate(kind, block, view, digest);
  const signatures = signers.map(signer => {
    const { signature } = consortium.vote(signer, kind, block, view, digest).signed;
    return { signer, signature };
  });
  return { ...plain, signatures };
}

/** View 1, opened by VIEW-CHANGEs that show what is said here. */
function open(shown: ReadonlyMap<number, readonly PreparedProof[]>, window: readonly Block[], view = 1) {
  const viewChanges = [...shown].map(
    ([signer, prepared]) => consortium.viewChange(signer, view, prepared).signed,
  );
  const hashes = window.map(({ header }) => headerHash(suite.sha256, header));
  const message = consortium.sign(view, { kind: 'newView', view, viewChanges, window: hashes });
  expect(consortium.verifies(message)).toBe(true);
  const digest = newViewDigest(suite.sha256, CHAIN_ID, 0, message.content);
  return { signed: message.signed, digest };
}

const proofOf = (block: Block, signers: readonly number[]): PreparedProof => ({
  header: block.header,
  certificate: certify('prepare', block, signers),
});

describe('[36] two commits at one height, by more than f', () => {
  it('convicts who voted twice in one view', () => {
    const blamed = traceConflict(
      suite,
      reign,
      certify('commit', one, [0, 1, 2]),
      certify('commit', twin, [0, 1, 3]),
      [],
    );
    expect(blamed).toEqual([0, 1]);
  });

  it('convicts who hid a commit from the next view, and not who never saw it', () => {
    const { signed, digest } = open(
      new Map([
        [0, []],
        [1, []],
        [3, []],
      ]),
      [],
    );
    const first = certify('commit', one, [0, 1, 2]);
    const second = certify('commit', twin, [0, 1, 3], 1, digest);
    expect(traceConflict(suite, reign, second, first, [signed])).toEqual([0, 1]);
    expect(traceConflict(suite, reign, first, second, [])).toEqual([]);
  });

  it('convicts who voted against the NEW-VIEW that named the block', () => {
    const proof = proofOf(one, [0, 1, 2]);
    const { signed, digest } = open(
      new Map([
        [0, []],
        [1, []],
        [2, [proof]],
      ]),
      [one],
    );
    const second = certify('commit', twin, [0, 1, 3], 1, digest);
    expect(traceConflict(suite, reign, certify('commit', one, [0, 1, 2]), second, [signed])).toEqual([
      0, 1, 3,
    ]);
  });

  it('convicts who prepared two blocks in one view, when every VIEW-CHANGE shows what it has to', () => {
    // Node 2 holds the proof of the first block, node 3 that of its twin, and both are honest.
    const proofs = new Map([
      [0, [proofOf(twin, [0, 1, 3])]],
      [2, [proofOf(one, [0, 1, 2])]],
      [3, [proofOf(twin, [0, 1, 3])]],
    ]);
    const { signed, digest } = open(proofs, [twin]);
    const second = certify('commit', twin, [0, 1, 3], 1, digest);
    const blamed = traceConflict(suite, reign, certify('commit', one, [0, 1, 2]), second, [signed]);
    expect(blamed).toEqual([0, 1]);
  });

  it('looks at the first view in which another block was certified, not at the last', () => {
    const view1 = open(
      new Map([
        [0, []],
        [1, []],
        [3, []],
      ]),
      [],
    );
    const proof = { header: twin.header, certificate: certify('prepare', twin, [0, 1, 3], 1, view1.digest) };
    const view2 = open(
      new Map([
        [1, [proof]],
        [2, [proofOf(one, [0, 1, 2])]],
        [3, [proof]],
      ]),
      [twin],
      2,
    );
    const second = certify('commit', twin, [1, 2, 3], 2, view2.digest);
    const archive = [view2.signed, view1.signed];
    // Node 2 voted in both, and rightly: view 2 showed it a later proof.
    expect(traceConflict(suite, reign, certify('commit', one, [0, 1, 2]), second, archive)).toEqual([0, 1]);
  });

  it('accuses nobody on certificates that agree, that are not valid, or at other heights', () => {
    const first = certify('commit', one, [0, 1, 2]);
    expect(traceConflict(suite, reign, first, certify('commit', one, [1, 2, 3]), [])).toEqual([]);
    expect(traceConflict(suite, reign, first, certify('commit', twin, [0, 1]), [])).toEqual([]);
    const two = consortium.block(one.header, 'two');
    expect(traceConflict(suite, reign, first, certify('commit', two, [0, 1, 2]), [])).toEqual([]);
    const forged = certify('commit', twin, [0, 1, 3]);
    const signatures = forged.signatures.map(entry => ({ ...entry, signature: new Uint8Array(64) }));
    expect(traceConflict(suite, reign, first, { ...forged, signatures }, [])).toEqual([]);
  });
});
