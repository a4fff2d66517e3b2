import { describe, expect, it } from 'vitest';
import { ZERO_HASH } from '../../../src/core/base/ids.ts';
import { checkGenesis } from '../../../src/core/ledger/genesis.ts';
import {
  checkParameters,
  newViewBytesMax,
  PARAMETER_MAX,
  windowBlocksMax,
} from '../../../src/core/ledger/parameters.ts';
import { ENGINE_LIMITS } from '../../../src/core/pbft/config.ts';
import { encodeContent } from '../../../src/core/pbft/message-codec.ts';
import type { NewView, PreparedProof, ShownHead, ViewChange } from '../../../src/core/pbft/messages.ts';
import { LIMITS } from '../../../src/core/types/limits.ts';
import { createActor, TEST_PARAMETERS, testGenesis, testSigner } from '../../support/ledger-kit.ts';

/** A NEW-VIEW in which every validator shows a certificate of all of them at each height. */
function fullNewView(validators: number, windowBlocks: number): NewView {
  const header = {
    version: 1,
    chainId: ZERO_HASH,
    height: 1,
    parentHash: ZERO_HASH,
    timeMs: 1,
    transactionsRoot: ZERO_HASH,
    mapRoot: ZERO_HASH,
    validatorSetId: 0,
    validatorSetHash: ZERO_HASH,
    nextValidatorSetHash: ZERO_HASH,
    previousSetChangeHeight: 0,
  };
  const signature = new Uint8Array(64);
  const signatures = Array.from({ length: validators }, (_, signer) => ({ signer, signature }));
  const certificate = {
    validatorSetId: 0,
    view: 1,
    newViewDigest: ZERO_HASH,
    height: 1,
    blockHash: ZERO_HASH,
    signatures,
  };
  const proof: PreparedProof & ShownHead = { header, certificate };
  const prepared = Array.from({ length: windowBlocks }, () => proof);
  const viewChange: ViewChange = { kind: 'viewChange', view: 2, head: proof, prepared };
  const body = encodeContent(viewChange);
  const viewChanges = signatures.map(({ signer }) => ({
    kind: 'viewChange' as const,
    validatorSetId: 0,
    signer,
    body,
    signature,
  }));
  return { kind: 'newView', view: 2, viewChanges, window: prepared.map(() => ZERO_HASH) };
}

describe('parameters', () => {
  it.each([
    [1, 1],
    [4, 32],
    [7, 3],
    [31, 8],
  ])(
    'the bound of a NEW-VIEW is what the largest one takes: %i validators, %i blocks',
    (validators, window) => {
      const bytes = encodeContent(fullNewView(validators, window)).length;
      expect(newViewBytesMax(validators, window)).toBe(bytes);
    },
  );

  it('refuses a window whose NEW-VIEW fits no message, and names the one that does', () => {
    const parameters = { ...TEST_PARAMETERS, windowBlocks: 128 };
    expect(checkParameters(parameters, 40)).toBeNull();
    const largest = windowBlocksMax(LIMITS.validatorsMax);
    expect(checkParameters(parameters, LIMITS.validatorsMax)).toMatchObject({
      detail: expect.stringContaining(`windowBlocks may be ${largest} at most`),
    });
    const small = { ...parameters, windowBlocks: largest, checkpointIntervalBlocks: 1 };
    expect(largest).toBeGreaterThan(16);
    expect(checkParameters(small, LIMITS.validatorsMax)).toBeNull();
    expect(newViewBytesMax(LIMITS.validatorsMax, largest)).toBeLessThanOrEqual(
      ENGINE_LIMITS.messageBodyBytes,
    );
  });

  it('applies the bound to the validators of the genesis', () => {
    const plain = testGenesis([createActor('alice')], [], { windowBlocks: 128 });
    const validators = Array.from({ length: 100 }, (_, index) => ({
      name: `v${index}`,
      publicKey: testSigner(`validator ${index}`).publicKey,
      peerId: `peer ${index}`,
    }));
    expect(checkGenesis(plain)).toBeNull();
    expect(checkGenesis({ ...plain, validators })).toMatchObject({ reject: 'bad_genesis' });
  });

  it.each(Object.entries(PARAMETER_MAX))('%s has a bound', (name, max) => {
    const with_ = (value: number) => checkParameters({ ...TEST_PARAMETERS, [name]: value }, 4);
    const below = name === 'rotationBlocks' ? -2 : 0;
    for (const value of [below, -1, 1.5, max + 1, Number.NaN]) {
      expect(with_(value)).toMatchObject({ detail: expect.stringContaining(`${name} is ${value}`) });
    }
  });
});
