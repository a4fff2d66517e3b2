import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createKeystore,
  type KeyBundle,
  openKeystore,
  replaceKeystore,
} from '../../../src/crypto/keystore.ts';
import { generateSecret } from '../../../src/crypto/phase-keys.ts';

/** Cheap, so that the tests are quick; the default is not. */
const COST = 4;
let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'phaseline-keys-'));
  path = join(dir, 'keys', 'alice.json');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const bundle: KeyBundle = {
  signing: generateSecret(),
  sealing: generateSecret(),
  retiredSealing: [generateSecret(), generateSecret()],
  transport: generateSecret(),
  consensus: null,
  nextConsensus: null,
};
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: { code: string; hint: string | null }) => (error.hint === null ? 'no hint' : error.code),
  );

describe('keystore', () => {
  it('gives back what was stored, with the default cost too', async () => {
    await createKeystore(path, 'correct horse', bundle);
    expect(await openKeystore(path, 'correct horse')).toEqual(bundle);
  });

  it('is readable by its owner only, and is not opened when others can read it', async () => {
    await createKeystore(path, 'pass', bundle, COST);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'keys'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(dir, 'keys'))).toEqual(['alice.json']);
    await chmod(path, 0o644);
    expect(await codeOf(openKeystore(path, 'pass'))).toBe('keystore_permissions');
  });

  it('holds no key in the clear', async () => {
    await createKeystore(path, 'pass', bundle, COST);
    const text = await readFile(path, 'utf8');
    for (const key of [bundle.signing, bundle.sealing, bundle.transport, ...bundle.retiredSealing]) {
      expect(text).not.toContain(Buffer.from(key!).toString('base64'));
      expect(text).not.toContain(Buffer.from(key!).toString('hex'));
    }
  });

  it('tells a wrong passphrase, a missing file and an existing one apart', async () => {
    expect(await codeOf(openKeystore(path, 'pass'))).toBe('keystore_missing');
    await createKeystore(path, 'pass', bundle, COST);
    expect(await codeOf(openKeystore(path, 'Pass'))).toBe('wrong_passphrase');
    expect(await codeOf(createKeystore(path, 'pass', bundle, COST))).toBe('keystore_exists');
    expect(await openKeystore(path, 'pass')).toEqual(bundle);
  });

  it('calls damage damage, whichever byte it is in', async () => {
    await createKeystore(path, 'pass', bundle, COST);
    const text = await readFile(path, 'utf8');
    for (let index = 0; index < text.length; index += 1) {
      if (/\s/.test(text[index]!)) continue;
      const other = text[index] === 'A' ? 'B' : 'A';
      await writeFile(path, text.slice(0, index) + other + text.slice(index + 1));
      expect(await codeOf(openKeystore(path, 'pass')), `character ${index}`).toBe('keystore_corrupt');
    }
    for (const junk of [
      '',
      '{',
      '[]',
      'null',
      '{"format":"phaseline-keystore","version":1}',
      text.slice(0, 200),
    ]) {
      await writeFile(path, junk);
      expect(await codeOf(openKeystore(path, 'pass')), junk).toBe('keystore_corrupt');
    }
  });

  it('bounds the work that a file may ask for', async () => {
    await createKeystore(path, 'pass', bundle, COST);
    const file = JSON.parse(await readFile(path, 'utf8')) as { kdf: { cost: number } };
    await writeFile(path, JSON.stringify({ ...file, kdf: { ...file.kdf, cost: 40 } }));
    expect(await codeOf(openKeystore(path, 'pass'))).toBe('keystore_corrupt');
    await writeFile(path, ' '.repeat(70_000));
    expect(await codeOf(openKeystore(path, 'pass'))).toBe('keystore_corrupt');
  });

  it('replaces its keys only for who has the passphrase, keeping mode and cost', async () => {
    await createKeystore(path, 'pass', bundle, COST);
    const rotated: KeyBundle = {
      ...bundle,
      sealing: generateSecret(),
      retiredSealing: [...bundle.retiredSealing, bundle.sealing!],
    };
    expect(await codeOf(replaceKeystore(path, 'other', rotated))).toBe('wrong_passphrase');
    expect(await openKeystore(path, 'pass')).toEqual(bundle);
    await replaceKeystore(path, 'pass', rotated);
    expect(await openKeystore(path, 'pass')).toEqual(rotated);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ kdf: { cost: COST } });
  });
});
