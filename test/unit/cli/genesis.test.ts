import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Io } from '../../../src/cli/io.ts';
import { runCommand } from '../../../src/cli/program.ts';
import { DEFAULT_PARAMETERS, parseGenesis } from '../../../src/config/genesis-file.ts';
import { toHex } from '../../../src/core/base/bytes.ts';
import { createActor, testGenesis } from '../../support/ledger-kit.ts';
import { temporaryDirectory } from '../store/temporary.ts';

const directory = temporaryDirectory();
const io = { directory, out: () => {}, err: () => {}, environment: {} } as unknown as Io;

/** What `phaseline init` prints. */
function writeIdentity(name: string, identity: object): string {
  writeFileSync(join(directory, name), JSON.stringify(identity));
  return name;
}

describe('phaseline genesis', () => {
  it('sorts the members and writes every parameter, so that every node takes the file', async () => {
    const files = ['zoe', 'bob', 'alice'].map(name => {
      const { card } = createActor(name);
      const keys = { signingKey: toHex(card.signingKey), sealingKey: toHex(card.sealingKey) };
      return writeIdentity(`${name}.json`, { role: 'manager', ...card, ...keys });
    });
    for (const validator of testGenesis([], []).validators) {
      const identity = { role: 'consensus', ...validator, publicKey: toHex(validator.publicKey) };
      files.push(writeIdentity(`${validator.name}.json`, identity));
    }
    await runCommand(['genesis', ...files, '--name', 'three', '--out', 'genesis.json'], io);
    const text = readFileSync(join(directory, 'genesis.json'), 'utf8');
    expect(parseGenesis(text, 'genesis.json').members.map(({ id }) => id)).toEqual(['alice', 'bob', 'zoe']);
    expect(JSON.parse(text).parameters).toEqual(DEFAULT_PARAMETERS);
  });
});
