import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Upload, type UploadOptions } from 'tus-js-client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createClient } from '../../../src/client/client.ts';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { reject } from '../../../src/core/base/reject.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { participantMethods } from '../../../src/rpc/groups.ts';
import { putRecordWithFiles } from '../../../src/rpc/put-files.ts';
import {
  bytesOf,
  call,
  exchange,
  hashOf,
  ManualClock,
  MemoryParticipant,
  startServer,
  stopServers,
  TOKEN,
} from './support.ts';

const clock = new ManualClock();
const participant = new MemoryParticipant(clock);
const intake = hashOf(0xa1) as PhaseId;
const session = { authorization: `Bearer ${TOKEN}` };
const tus = { ...session, 'tus-resumable': '1.0.0' };
let url: string;

beforeAll(async () => {
  participant.addPhase(intake, 'intake');
  ({ url } = await startServer(participantMethods(participant, null), {
    node: participant,
    files: participant,
    limits: { uploadBytesMax: 8_000_000 },
    clock,
  }));
});
beforeEach(() => {
  participant.refusal = null;
});
afterAll(stopServers);

const metadata = (fields: Record<string, string>) =>
  Object.entries(fields)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',');
const given = { phase: 'intake', filename: 'plan.pdf', filetype: 'application/pdf' };

/** One upload by the tus project's own client, to its end or to where a test aborts it. */
function send(bytes: Uint8Array, options: Partial<UploadOptions> & { abortAt?: number } = {}) {
  return new Promise<Upload>((resolve, fail) => {
    const { abortAt = Number.POSITIVE_INFINITY, ...rest } = options;
    const upload = new Upload(Buffer.from(bytes), {
      endpoint: `${url}/uploads`,
      chunkSize: 1_000_000,
      retryDelays: null,
      headers: session,
      metadata: given,
      onError: fail,
      onSuccess: () => resolve(upload),
      onChunkComplete: (_size, accepted) => {
        if (accepted >= abortAt) void upload.abort().then(() => resolve(upload));
      },
      ...rest,
    });
    upload.start();
  });
}

async function create(bytes: number | null, fields: Record<string, string> = given): Promise<string> {
  const length: Record<string, string> =
    bytes === null ? { 'upload-defer-length': '1' } : { 'upload-length': String(bytes) };
  const headers = { ...tus, ...length, 'upload-metadata': metadata(fields) };
  const answer = await exchange(`${url}/uploads`, 'POST', headers);
  expect([answer.status, answer.text]).toEqual([201, '']);
  return new URL(String(answer.headers.location), url).href;
}

const offsetOf = async (at: string) => Number((await exchange(at, 'HEAD', tus)).headers['upload-offset']);
const patch = (at: string, offset: number, body: Uint8Array, more: Record<string, string> = {}) =>
  exchange(
    at,
    'PATCH',
    { ...tus, 'content-type': 'application/offset+octet-stream', 'upload-offset': String(offset), ...more },
    body,
  );
const records = () => participant.recordsOf.get(intake)!;
const stored = () => participant.files.get(records().at(-1)!.content!.files[0]!.cid)!;

describe('a resumable upload', () => {
  it('goes on where it was interrupted, by the client of the tus project', async () => {
    const bytes = new Uint8Array(randomBytes(3_500_000));
    const before = records().length;
    const first = await send(bytes, { abortAt: 2_000_000 });
    expect(await offsetOf(first.url!)).toBe(2_000_000);
    expect(records().length).toBe(before);
    const accepted: number[] = [];
    await send(bytes, {
      uploadUrl: first.url,
      onProgress: sent => void accepted.push(sent),
    });
    expect(Math.min(...accepted)).toBeGreaterThanOrEqual(2_000_000);
    expect(records().length).toBe(before + 1);
    expect(stored().file).toMatchObject({ name: 'plan.pdf', mediaType: 'application/pdf' });
    expect(Buffer.from(stored().bytes).equals(bytes)).toBe(true);
  });

  it('keeps what came before the connection was cut, byte for byte', async () => {
    const bytes = new Uint8Array(randomBytes(300_000));
    const at = await create(bytes.length);
    const { port, pathname } = new URL(at);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`PATCH ${pathname} HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\n`);
    socket.write(`Authorization: Bearer ${TOKEN}\r\nUpload-Offset: 0\r\n`);
    socket.write(`Content-Type: application/offset+octet-stream\r\nContent-Length: ${bytes.length}\r\n\r\n`);
    socket.write(bytes.subarray(0, 150_000));
    const id = pathname.split('/').at(-1)!;
    while (participant.uploads.find(id)!.offset < 150_000) await turn();
    socket.destroy();
    const offset = await offsetOf(at);
    expect(offset).toBe(150_000);
    const wrong = await patch(at, 0, bytes);
    expect(wrong.status).toBe(409);
    const end = await patch(at, offset, bytes.subarray(offset));
    expect([end.status, end.headers['upload-offset']]).toEqual([204, '300000']);
    expect(end.headers['phaseline-record']).toBe(records().at(-1)!.id);
    expect(Buffer.from(stored().bytes).equals(bytes)).toBe(true);
  });

  it('may be empty, begin with its data, and learn its length at the end', async () => {
    await create(0);
    await settled();
    expect(stored().bytes.length).toBe(0);
    const headers = { ...tus, 'upload-length': '5', 'upload-metadata': metadata(given) };
    const body = { ...headers, 'content-type': 'application/offset+octet-stream' };
    const created = await exchange(`${url}/uploads`, 'POST', body, 'hello');
    expect([created.status, created.headers['upload-offset']]).toEqual([201, '5']);
    expect(Buffer.from(stored().bytes).toString()).toBe('hello');
    const at = await create(null);
    expect((await patch(at, 0, Buffer.from('no end'))).status).toBe(204);
    await patch(at, 6, Buffer.from(' yet'), { 'upload-length': '10' });
    expect(Buffer.from(stored().bytes).toString()).toBe('no end yet');
  });

  it('waits for the record that names it, when it is to', async () => {
    const before = records().length;
    const at = await create(4, { ...given, record: 'later' });
    expect((await patch(at, 0, Buffer.from('late'))).headers['phaseline-record']).toBeUndefined();
    const upload = at.split('/').at(-1)!;
    const half = (await create(4, { ...given, record: 'later' })).split('/').at(-1)!;
    const put = (id: string) => call(url, 'record_put', { phase: 'intake', files: [{ upload: id }] });
    expect((await put(half)).error.data.reason).toBe('upload_not_whole');
    expect((await put('0'.repeat(32))).error.data.reason).toBe('unknown_upload');
    participant.refusal = reject('phaseFrozen', 'frozen');
    expect((await put(upload)).error.data.reason).toBe('phaseFrozen');
    participant.refusal = null;
    expect((await put(upload)).result.files).toMatchObject([{ name: 'plan.pdf', bytes: 4 }]);
    expect(records().length).toBe(before + 1);
    expect((await put(upload)).error.data.reason).toBe('unknown_upload');
  });

  it('is listed with how far it is, ended by its sender, and dropped when nobody comes back', async () => {
    const at = await create(10);
    await patch(at, 0, Buffer.from('12345'));
    const id = at.split('/').at(-1)!;
    const list = async () =>
      (await call(url, 'file_uploads', { phase: 'intake' })).result.uploads.find(
        (one: { id: string }) => one.id === id,
      );
    expect(await list()).toMatchObject({ name: 'plan.pdf', offset: 5, bytes: 10, stage: 'receiving' });
    expect((await exchange(at, 'DELETE', tus)).status).toBe(204);
    expect((await exchange(at, 'HEAD', tus)).status).toBe(404);
    const second = await create(10);
    clock.advance(25 * 60 * 60_000);
    expect((await exchange(second, 'HEAD', tus)).status).toBe(404);
  });

  it('says why, when the ledger refuses its record or it breaks the rules', async () => {
    participant.refusal = reject('phaseFrozen', 'phase intake is frozen');
    const at = await create(2);
    const refused = await patch(at, 0, Buffer.from('no'));
    expect([refused.status, JSON.parse(refused.text).error.data.reason]).toEqual([409, 'phaseFrozen']);
    expect(participant.staged.size).toBe(0);
    const post = (more: Record<string, string>) => exchange(`${url}/uploads`, 'POST', { ...tus, ...more });
    const length = { 'upload-length': '5' };
    for (const [headers, status, text] of [
      [{ ...length, 'upload-metadata': metadata({ ...given, phase: 'nowhere' }) }, 404, 'unknown_phase'],
      [{ ...length, 'upload-metadata': metadata({ phase: 'intake' }) }, 400, 'filename'],
      [{ 'upload-length': '8000001', 'upload-metadata': metadata(given) }, 413, 'size'],
      [{ 'upload-metadata': metadata(given) }, 400, 'Upload-Length'],
    ] as const) {
      const answer = await post(headers);
      expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(text)]);
    }
  });

  it('stands behind the same guards as every call', async () => {
    const at = await create(5);
    const [, path] = at.split(url);
    for (const [method, where] of [
      ['POST', '/uploads'],
      ['HEAD', path!],
      ['PATCH', path!],
      ['DELETE', path!],
    ] as const) {
      const without = await exchange(url + where, method, { 'tus-resumable': '1.0.0' });
      expect([method, without.status]).toEqual([method, 401]);
      const foreign = await exchange(url + where, method, { ...tus, origin: 'https://evil.example' });
      expect([method, foreign.status]).toEqual([method, 403]);
      const rebound = await exchange(url + where, method, { ...tus, host: 'evil.example' });
      expect([method, rebound.status]).toEqual([method, 403]);
    }
    const answer = await exchange(at, 'HEAD', tus);
    expect(answer.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'upload-offset': '0' });
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('the SDK', () => {
  /** The platform's fetch, with faults of a network. */
  const client = (fault: (request: { method: string }) => void) => {
    return createClient({
      url,
      token: TOKEN,
      fetch: async (at, init) => {
        fault({ method: init?.method ?? 'GET' });
        return fetch(at, init);
      },
    });
  };
  const lost = () => {
    throw new TypeError('fetch failed');
  };
  const wait = async () => {};

  it('goes on after lost connections, and in a later call with the same fingerprint', async () => {
    const bytes = new Uint8Array(randomBytes(7_500_000));
    const read = async (offset: number, length: number) =>
      bytes.subarray(offset, offset + Math.min(length, 1_000_000));
    const file = {
      ...{ phase: 'intake', name: 'scan.tif', mediaType: 'image/tiff', fingerprint: 'scan/1' },
      source: { bytes: bytes.length, read },
    };
    let allowed = 3;
    const flaky = client(({ method }) => {
      if (method === 'PATCH' && allowed === 0) lost();
      if (method === 'PATCH') allowed -= 1;
    });
    await expect(flaky.put(file, { wait })).rejects.toMatchObject({ code: 'cannot_connect' });
    const sent: number[] = [];
    let patches = 0;
    const unsteady = client(({ method }) => {
      if (method !== 'PATCH') return;
      patches += 1;
      if (patches % 2 === 0) lost();
    });
    const put = await unsteady.put(file, { wait, onProgress: taken => void sent.push(taken) });
    expect(Math.min(...sent)).toBe(4_000_000);
    expect(put.record).toBe(records().at(-1)!.id);
    expect(stored().file).toMatchObject({ name: 'scan.tif', mediaType: 'image/tiff' });
    expect(Buffer.from(stored().bytes).equals(bytes)).toBe(true);
    const small = await client(() => {}).put({ phase: 'intake', name: 'ü', source: new Blob(['hi']) });
    expect(stored().file).toMatchObject({ cid: small.cid, name: 'ü', bytes: 2 });
  });

  it('reads a file and ranges of it over connections that break', async () => {
    const bytes = new Uint8Array(randomBytes(700_000));
    const { cid } = await client(() => {}).put({ phase: 'intake', name: 'x', source: bytes });
    const sdk = client(() => {});
    participant.breakAfterChunks = 4;
    const whole = await sdk.get({ phase: 'intake', cid: cid! }, { wait });
    expect(whole).toMatchObject({ name: 'x', bytes: 700_000, totalBytes: 700_000 });
    expect(whole.sha256).toBe(participant.files.get(cid!)!.file.sha256);
    expect(Buffer.from(await bytesOf(whole.stream)).equals(bytes)).toBe(true);
    const part = await sdk.get({ phase: 'intake', cid: cid!, from: 10, to: 499_999 }, { wait });
    expect(part).toMatchObject({ bytes: 499_990, totalBytes: 700_000 });
    expect(Buffer.from(await bytesOf(part.stream)).equals(bytes.subarray(10, 500_000))).toBe(true);
    const stuck = await sdk.get({ phase: 'intake', cid: cid! }, { wait });
    participant.breakAfterChunks = 0;
    await expect(bytesOf(stuck.stream)).rejects.toMatchObject({ name: 'RpcError' });
    participant.breakAfterChunks = Number.POSITIVE_INFINITY;
  });
});

describe('a large file put by its path', () => {
  const root = mkdtempSync(join(tmpdir(), 'phaseline-uploads-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const record = {
    ...{ phase: intake, type: '', title: '', mediaType: 'text/plain', references: [] },
    data: new Uint8Array(),
  };

  it('goes on when the same call is made again, and begins anew when the file is another', async () => {
    const path = join(root, 'scan.tif');
    const bytes = randomBytes(4_000_000);
    writeFileSync(path, bytes);
    const api = new MemoryParticipant();
    api.addPhase(intake, 'intake');
    let sources = 0;
    let taken = 0;
    const stopping = new AbortController();
    const { stageFiles } = api;
    api.stageFiles = async (phase, files) => {
      const counted = files.map(({ source }) => ({
        bytes: null,
        source: (async function* () {
          sources += 1;
          for await (const chunk of source) {
            taken += chunk.length;
            if (taken >= 1_500_000) stopping.abort(new Error('gone'));
            yield chunk;
          }
        })(),
      }));
      return stageFiles(phase, counted);
    };
    const put = (signal: AbortSignal) =>
      putRecordWithFiles(api, record, [{ path, name: null, mediaType: 'image/tiff' }], signal);
    await expect(put(stopping.signal)).rejects.toThrow('gone');
    const [open] = api.uploads.list();
    expect(open!.offset).toBeGreaterThan(1_000_000);
    expect(open!.offset).toBeLessThan(bytes.length);
    const done = await put(new AbortController().signal);
    expect([sources, taken]).toEqual([1, bytes.length]);
    const { cid } = (done as unknown as { files: { cid: string }[] }).files[0]!;
    expect(Buffer.from(api.files.get(cid)!.bytes).equals(bytes)).toBe(true);
    expect(api.uploads.list()).toEqual([]);
    writeFileSync(path, randomBytes(2_000_000));
    await put(new AbortController().signal);
    expect(sources).toBe(2);
  });

  it('says at once why a file is refused before its bytes are read, and leaves no writer waiting', async () => {
    const api = new MemoryParticipant();
    api.addPhase(intake, 'intake');
    const path = join(root, 'refused');
    writeFileSync(path, randomBytes(4_000_000));
    api.stageFiles = async () => {
      throw new OperatingError('quota_exceeded', 'the phase has no room');
    };
    const files = [{ path, name: null, mediaType: 'a/b' }];
    const putting = putRecordWithFiles(api, record, files, new AbortController().signal);
    await expect(putting).rejects.toMatchObject({ code: 'quota_exceeded' });
  });

  it('goes on with what did not find its copies in time', async () => {
    const api = new MemoryParticipant();
    api.addPhase(intake, 'intake');
    const path = join(root, 'waiting');
    writeFileSync(path, randomBytes(2_000_000));
    const { putRecord } = api;
    api.putRecord = async ({ waitForCopies }) => {
      waitForCopies?.onProgress?.({ copies: 1, wanted: 3, bytesConfirmed: 0 });
      return reject('too_few_copies', '1 of 3 copies', 'ignore');
    };
    const wanted = { ...record, waitForCopies: { copies: 3, waitMs: 1 } };
    const files = [{ path, name: null, mediaType: 'a/b' }];
    const put = () => putRecordWithFiles(api, wanted, files, new AbortController().signal);
    expect(await put()).toMatchObject({ reject: 'too_few_copies' });
    expect(api.uploads.list()).toMatchObject([{ stage: 'stored' }]);
    api.putRecord = putRecord;
    api.stageFiles = async () => {
      throw new Error('is not stored again');
    };
    expect(await put()).toMatchObject({ files: [{ bytes: 2_000_000 }] });
  });

  it('belongs to one call while its record is written: another that is refused takes nothing along', async () => {
    const time = new ManualClock();
    const api = new MemoryParticipant(time);
    api.addPhase(intake, 'intake');
    const path = join(root, 'twice');
    writeFileSync(path, randomBytes(2_000_000));
    const { putRecord } = api;
    let isSent = false;
    let commit = () => {};
    const committing = new Promise<void>(resolve => {
      commit = resolve;
    });
    api.putRecord = async (input, signal) => {
      isSent = true;
      await committing;
      return putRecord(input, signal);
    };
    const { signal } = new AbortController();
    const files = [{ path, name: null, mediaType: 'a/b' }];
    const first = putRecordWithFiles(api, record, files, signal);
    while (!isSent) await turn();
    const [upload] = api.uploads.list();
    const { id } = upload!;
    const inUse = { data: { reason: 'upload_in_use' } };
    await expect(api.uploads.remove(id)).rejects.toMatchObject(inUse);
    const named = putRecordWithFiles(api, record, [{ upload: id, name: null, mediaType: null }], signal);
    await expect(named).rejects.toMatchObject(inUse);
    time.advance(25 * 60 * 60_000);
    api.putRecord = async () => reject('phaseFrozen', 'frozen');
    expect(await putRecordWithFiles(api, record, files, signal)).toMatchObject({ reject: 'phaseFrozen' });
    expect(api.uploads.list()).toMatchObject([{ id }]);
    commit();
    expect(await first).toMatchObject({ files: [{ bytes: 2_000_000 }] });
    expect([api.uploads.list(), api.staged.size]).toEqual([[], 0]);
  });

  it('is free again after a call that failed, which keeps nothing of its small files', async () => {
    const api = new MemoryParticipant();
    api.addPhase(intake, 'intake');
    const files = [2_000_000, 1000].map(length => {
      const path = join(root, `unanswered-${length}`);
      writeFileSync(path, randomBytes(length));
      return { path, name: null, mediaType: 'a/b' };
    });
    const { putRecord } = api;
    api.putRecord = async () => {
      throw new OperatingError('no_source', 'no consensus node can be reached');
    };
    const put = () => putRecordWithFiles(api, record, files, new AbortController().signal);
    await expect(put()).rejects.toMatchObject({ code: 'no_source' });
    expect([api.uploads.list().length, api.staged.size]).toEqual([1, 1]);
    api.putRecord = putRecord;
    expect(await put()).toMatchObject({ files: [{ bytes: 2_000_000 }, { bytes: 1000 }] });
    expect([api.uploads.list(), api.staged.size]).toEqual([[], 0]);
  });

  it('leaves nothing when another file of the same record cannot be read', async () => {
    const api = new MemoryParticipant();
    api.addPhase(intake, 'intake');
    const path = join(root, 'large');
    writeFileSync(path, randomBytes(2_000_000));
    const files = [path, join(root, 'none')].map(one => ({ path: one, name: null, mediaType: 'a/b' }));
    const putting = putRecordWithFiles(api, record, files, new AbortController().signal);
    await expect(putting).rejects.toMatchObject({ data: { reason: 'no_such_file' } });
    expect([api.uploads.list(), api.staged.size]).toEqual([[], 0]);
  });
});

const turn = () => new Promise(resolve => setImmediate(resolve));

async function settled(): Promise<void> {
  for (const { id } of participant.uploads.list()) await participant.uploads.settled(id).catch(() => {});
}
