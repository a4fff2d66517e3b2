import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { filesConfigOf, readS3Credentials } from '../../../src/config/files-config.ts';
import { parseNodeConfig } from '../../../src/config/node-config.ts';

const root = mkdtempSync(join(tmpdir(), 'phaseline-files-config-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const withFiles = (section: string) =>
  filesConfigOf(
    parseNodeConfig(
      `role = "participant"\nname = "ann"\n[network]\nlisten = ["/ip4/127.0.0.1/tcp/7801"]\npeers = []\n${section}`,
      'config.toml',
    ),
  );

describe('[files] of config.toml', () => {
  it('has defaults that keep files on this disk, with a scrubber and challenges', () => {
    expect(withFiles('')).toEqual({
      store: 'filesystem',
      quotaBytes: 0,
      phaseQuotaBytes: 0,
      reserveBytes: 256 * 1024 * 1024,
      scrubBytesPerSecond: 8 * 1024 * 1024,
      challengeSeconds: 10,
    });
  });

  it('takes a place in S3, and no secrets', () => {
    const place =
      '[files]\nstore = "s3"\n[files.s3]\nbucket = "b"\nendpoint = "https://s3.example"\nprefix = "ann/"\n';
    expect(withFiles(place)).toMatchObject({
      store: 's3',
      s3: {
        bucket: 'b',
        endpoint: 'https://s3.example',
        prefix: 'ann/',
        region: 'us-east-1',
        pathStyle: true,
      },
    });
    expect(() => withFiles(`${place}secretAccessKey = "x"\n`)).toThrow('files.s3');
  });

  it('says what is wrong', () => {
    expect(() => withFiles('[files]\nstore = "s3"\n')).toThrow('[files.s3]');
    expect(() => withFiles('[files]\nstore = "tape"\n')).toThrow('files.store');
    expect(() => withFiles('[files]\nquotaBytes = -1\n')).toThrow('files.quotaBytes');
    expect(() => withFiles('[files]\n[files.s3]\nbucket = "b"\nprefix = "no-slash"\n')).toThrow('prefix');
  });
});

describe('credentials for S3', () => {
  const keys = { accessKeyId: 'id', secretAccessKey: 'secret' };
  const file = (name: string, text: string, mode: number) => {
    const path = join(root, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };

  it('come from the environment, or from a file that nobody else may read', async () => {
    const environment = { PHASELINE_S3_ACCESS_KEY_ID: 'id', PHASELINE_S3_SECRET_ACCESS_KEY: 'secret' };
    expect(await readS3Credentials(environment, join(root, 'none'))).toEqual(keys);
    expect(await readS3Credentials({}, file('ok.json', JSON.stringify(keys), 0o600))).toEqual(keys);
  });

  it('are refused where they are missing, open to others, or malformed', async () => {
    const refused = (path: string) => expect(readS3Credentials({}, path)).rejects;
    await refused(join(root, 'none')).toMatchObject({ code: 'no_s3_credentials' });
    await refused(file('open.json', JSON.stringify(keys), 0o644)).toMatchObject({
      message: expect.stringContaining('0600'),
    });
    await refused(file('bad.json', '{', 0o600)).toMatchObject({ code: 'no_s3_credentials' });
    await refused(file('more.json', JSON.stringify({ ...keys, other: 1 }), 0o600)).toMatchObject({
      code: 'no_s3_credentials',
    });
  });
});
