import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createClient } from '../../../src/client/client.ts';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { reject } from '../../../src/core/base/reject.ts';
import { participantMethods } from '../../../src/rpc/groups.ts';
import { bytesOf, exchange, hashOf, MemoryParticipant, startServer, stopServers, TOKEN } from './support.ts';

const participant = new MemoryParticipant();
const intake = hashOf(0xa1) as PhaseId;
const session = { authorization: `Bearer ${TOKEN}` };
let url: string;

beforeAll(async () => {
  participant.addPhase(intake, 'in/take');
  ({ url } = await startServer(participantMethods(participant, null), {
    node: participant,
    files: participant,
    limits: { uploadBytesMax: 2_000_000 },
  }));
});
beforeEach(() => {
  participant.breakAfterChunks = Number.POSITIVE_INFINITY;
  participant.refusal = null;
});
afterAll(stopServers);

const client = () => createClient({ url, token: TOKEN });
async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
}

describe('uploads and downloads', () => {
  it('carry a file byte for byte, whatever its chunks', async () => {
    const bytes = new Uint8Array(randomBytes(1_500_001));
    const receipt = await client().upload({
      phase: 'in/take',
      name: 'plan ü/ä.pdf',
      mediaType: 'application/pdf',
      body: chunksOf(bytes, 70_001),
    });
    expect(receipt.files).toMatchObject([
      { name: 'plan ü/ä.pdf', bytes: bytes.length, mediaType: 'application/pdf' },
    ]);
    const {
      name,
      bytes: length,
      stream,
    } = await client().download({ phase: intake, cid: receipt.files[0]!.cid });
    expect([name, length]).toEqual(['ä.pdf', bytes.length]);
    expect(Buffer.from(await bytesOf(stream)).equals(bytes)).toBe(true);
  });

  it('resume from an offset, answer ranges, refuse impossible ones', async () => {
    const { files } = await client().upload({ phase: intake, name: 'x', body: Buffer.from('0123456789') });
    const cid = files[0]!.cid;
    const rest = await client().download({ phase: intake, cid, offset: 7 });
    expect(Buffer.from(await bytesOf(rest.stream)).toString()).toBe('789');
    const at = `${url}/phases/${intake}/files/${cid}`;
    for (const [range, status, text] of [
      ['bytes=2-4', 206, '234'],
      ['bytes=8-100', 206, '89'],
      ['bytes=-3', 200, '0123456789'],
      ['bytes=5-1', 200, '0123456789'],
    ] as const) {
      const answer = await exchange(at, 'GET', { ...session, range });
      expect([range, answer.status, answer.text]).toEqual([range, status, text]);
    }
    const beyond = await exchange(at, 'GET', { ...session, range: 'bytes=10-' });
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */10']);
  });

  it('[88] HTML and SVG with scripts and hostile names are only ever saved', async () => {
    const script = Buffer.from('<svg onload="alert(1)"><script>alert(2)</script></svg>');
    for (const [name, mediaType, saved] of [
      ['../../x.html', 'text/html', 'x.html'],
      ['a"; filename="b.html\r\nX-Evil: 1', 'image/svg+xml', 'a_%3B%20filename%3D_b.html__X-Evil_%201'],
    ] as const) {
      const { files } = await client().upload({ phase: intake, name, mediaType, body: script });
      const answer = await exchange(`${url}/phases/${intake}/files/${files[0]!.cid}`, 'GET', session);
      expect(answer.text).toBe(script.toString());
      expect(answer.headers).toMatchObject({
        'content-type': 'application/octet-stream',
        'content-disposition': `attachment; filename*=UTF-8''${saved}`,
        'x-content-type-options': 'nosniff',
      });
      expect(answer.headers['content-security-policy']).toContain('sandbox');
      expect(answer.headers['x-evil']).toBeUndefined();
    }
  });

  it('[85] a download that breaks off fails at the reader and never looks whole', async () => {
    const bytes = new Uint8Array(200_000);
    const { files } = await client().upload({ phase: intake, name: 'x', body: bytes });
    participant.breakAfterChunks = 2;
    const { stream } = await client().download({ phase: intake, cid: files[0]!.cid });
    await expect(bytesOf(stream)).rejects.toMatchObject({ code: 'download_broken' });
  });

  it('need the session, and refuse before the body is read', async () => {
    const paths: [string, string][] = [
      ['PUT', `/phases/${intake}/files?name=x`],
      ['GET', `/phases/${intake}/files/bafy0`],
      ['GET', `/phases/${intake}/dossier`],
    ];
    for (const [method, path] of paths) {
      const answer = await exchange(url + path, method, {}, method === 'PUT' ? 'x'.repeat(500_000) : '');
      expect([path, answer.status, answer.json.error.data.reason]).toEqual([path, 401, 'session_needed']);
    }
    const foreign = await exchange(
      url + paths[0]![1],
      'PUT',
      { ...session, origin: 'https://evil.example' },
      'x',
    );
    expect(foreign.status).toBe(403);
  });

  it('a file over the limit, a bad phase, a refusal: coded answers', async () => {
    await expect(
      client().upload({ phase: intake, name: 'x', body: chunksOf(new Uint8Array(2_000_001), 100_000) }),
    ).rejects.toMatchObject({ name: 'RpcError', code: -32005, reason: 'file_too_large' });
    await expect(
      client().upload({ phase: 'nowhere', name: 'x', body: Buffer.from('x') }),
    ).rejects.toMatchObject({
      code: 1002,
      reason: 'unknown_phase',
    });
    participant.refusal = reject('phaseFrozen', 'phase in/take is frozen');
    await expect(client().upload({ phase: intake, name: 'x', body: Buffer.from('x') })).rejects.toMatchObject(
      {
        code: 1000,
        reason: 'phaseFrozen',
        refused: true,
      },
    );
    await expect(client().download({ phase: intake, cid: 'bafyNone' })).rejects.toMatchObject({ code: 1002 });
    const nameless = await exchange(`${url}/phases/${intake}/files`, 'PUT', session, 'x');
    expect([nameless.status, nameless.json.error.data.parameter]).toEqual([400, 'name']);
  });

  it('a client that goes away in the middle of an upload aborts it', async () => {
    const { port } = new URL(url);
    participant.uploadSignal = null;
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`PUT /phases/${intake}/files?name=half HTTP/1.1\r\nHost: 127.0.0.1\r\n`);
    socket.write(`Authorization: Bearer ${TOKEN}\r\nContent-Length: 1000\r\n\r\nhalf`);
    const signal = await until(() => participant.uploadSignal);
    const before = participant.recordsOf.get(intake)!.length;
    const aborted = new Promise(resolve => signal.addEventListener('abort', resolve));
    socket.destroy();
    await aborted;
    expect(participant.recordsOf.get(intake)!.length).toBe(before);
  });

  it('streams a dossier', async () => {
    const { name, stream } = await client().dossier({ phase: intake, payloads: false });
    expect([name, await bytesOf(stream)]).toEqual(['take.dossier', new Uint8Array([1, 2, 3])]);
  });
});

/** Turns of the event loop until there is a value. */
async function until<T>(read: () => T | null): Promise<T> {
  for (;;) {
    const value = read();
    if (value !== null) return value;
    await new Promise(resolve => setImmediate(resolve));
  }
}
