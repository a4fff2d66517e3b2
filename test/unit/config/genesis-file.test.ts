import { describe, expect, it } from 'vitest';
import { DEFAULT_PARAMETERS, formatGenesis, parseGenesis } from '../../../src/config/genesis-file.ts';
import { checkParameters } from '../../../src/core/ledger/parameters.ts';
import type { Genesis } from '../../../src/core/types/state.ts';
import { createActor, testGenesis } from '../../support/ledger-kit.ts';

const genesis: Genesis = testGenesis([createActor('alice')], [createActor('bob')]);

// biome-ignore lint/suspicious/noExplicitAny: a document to be damaged in any way
type Document = any;

function parsed(change: (document: Document) => void): () => Genesis {
  const document = JSON.parse(formatGenesis(genesis));
  change(document);
  return () => parseGenesis(JSON.stringify(document), 'genesis.json');
}

const failure = (text: string) =>
  expect.objectContaining({ code: 'bad_genesis', message: expect.stringContaining(text) });

describe('genesis file', () => {
  it('reads what it writes', () => {
    expect(parsed(() => {})()).toEqual(genesis);
  });

  it('needs every parameter: a default of this program would make another chain with the next', () => {
    for (const name of Object.keys(DEFAULT_PARAMETERS)) {
      const without = parsed(document => delete document.parameters[name]);
      expect(without).toThrow(failure(`parameters.${name}: is missing`));
    }
    expect(parsed(document => delete document.parameters)).toThrow(failure('parameters'));
    expect(parsed(document => Object.assign(document.parameters, { blockTime: 1 }))).toThrow(
      failure('blockTime'),
    );
  });

  it('is held to the rules of the ledger, on every node that reads it', () => {
    expect(parsed(document => Object.assign(document.parameters, { windowBlocks: 257 }))).toThrow(
      failure('windowBlocks is 257'),
    );
    expect(parsed(document => document.members.reverse())).toThrow(failure('members are not sorted'));
    expect(parsed(document => document.administrators.push('zoe'))).toThrow(failure('zoe is not a member'));
    expect(parsed(document => Object.assign(document, { administratorThreshold: 3 }))).toThrow(
      failure('threshold 3 of 1'),
    );
    expect(
      parsed(document => Object.assign(document.validators[1], { name: document.validators[0].name })),
    ).toThrow(failure('v1 is named twice'));
    expect(parsed(document => Object.assign(document, { validators: [] }))).toThrow(failure('no validator'));
  });

  it('writes defaults that hold for up to 16 validators', () => {
    expect(checkParameters(DEFAULT_PARAMETERS, 16)).toBeNull();
  });
});
