import { describe, expect, it } from 'vitest';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import {
  type FilesAnswer,
  type FilesRequest,
  filesAnswerCodec,
  filesRequestCodec,
} from '../../../src/wire/files.ts';
import { phaseline } from '../../../src/wire/generated/messages.js';

const phase = 'ab'.repeat(32) as PhaseId;
const cid = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku';
const refused = expect.objectContaining({ reject: 'undecodable' });

describe('wire format of the files protocol', () => {
  it('carries every request and answer', () => {
    const requests: FilesRequest[] = [
      { phase, kind: 'have', roots: [cid, 'x'] },
      { phase, root: cid, kind: 'get', cids: [cid, 'x'] },
      { phase, kind: 'small', roots: [cid] },
      { phase, root: cid, kind: 'prove', cids: [cid], nonce: new Uint8Array(32).fill(7) },
      { phase, kind: 'offer', files: [{ cid, ciphertextBytes: 2 ** 40, keyCommitment: phase }] },
    ];
    for (const request of requests) {
      expect(filesRequestCodec.decode(filesRequestCodec.encode(request))).toEqual(request);
    }
    const answers: FilesAnswer[] = [
      { kind: 'holding', extents: ['none', 'partial', 'whole', 'purged'] },
      { kind: 'proof', digest: new Uint8Array(32).fill(1) },
      { kind: 'proof', digest: null },
      { kind: 'taken', indexes: [0, 3] },
      { kind: 'taken', indexes: [] },
      { kind: 'blocks', blocks: [{ cid, bytes: new Uint8Array([1, 2]) }], absent: ['x'] },
      { kind: 'blocks', blocks: [], absent: [] },
    ];
    for (const answer of answers) {
      expect(filesAnswerCodec.decode(filesAnswerCodec.encode(answer))).toEqual(answer);
    }
  });

  it('[32] refuses malformed requests', () => {
    const encode = (wire: phaseline.FilesRequest.$Properties) => phaseline.FilesRequest.encode(wire).finish();
    const id = new Uint8Array(32);
    const bad = [
      encode({}),
      encode({ phase: id }),
      encode({ phase: new Uint8Array(31), have: { roots: [cid] } }),
      encode({ phase: id, have: { roots: [] } }),
      encode({ phase: id, have: { roots: ['x'.repeat(97)] } }),
      encode({ phase: id, small: { roots: Array.from({ length: 257 }, () => cid) } }),
      encode({ phase: id, get: { root: '', cids: [cid] } }),
      encode({ phase: id, get: { root: cid, cids: [] } }),
      encode({ phase: id, get: { root: cid, cids: [''] } }),
      encode({ phase: id, get: { root: cid, cids: Array.from({ length: 17 }, () => cid) } }),
      encode({ phase: id, prove: { root: cid, cids: [cid], nonce: new Uint8Array(31) } }),
      encode({ phase: id, offer: { files: [] } }),
      encode({ phase: id, offer: { files: [{ cid, keyCommitment: new Uint8Array(31) }] } }),
      new Uint8Array([0xff, 0xff]),
    ];
    for (const frame of bad) expect(filesRequestCodec.decode(frame)).toEqual(refused);
  });

  it('[32] refuses malformed answers', () => {
    const encode = (wire: phaseline.FilesAnswer.$Properties, bodyBytes = 0) => {
      const message = phaseline.FilesAnswer.encode(wire).finish();
      const frame = new Uint8Array(4 + message.length + bodyBytes);
      new DataView(frame.buffer).setUint32(0, message.length);
      frame.set(message, 4);
      return frame;
    };
    const block = { cid, length: 1 };
    const large = 2 * 1024 * 1024 + 1;
    const bad = [
      new Uint8Array(3),
      Uint8Array.of(0, 0, 0, 1),
      encode({}),
      encode({ holding: { extents: [4] } }),
      encode({ holding: { extents: [1] } }, 1),
      encode({ proof: { digest: new Uint8Array(31) } }),
      encode({ taken: { indexes: Array.from({ length: 257 }, () => 1) } }),
      encode({ blocks: { blocks: Array.from({ length: 257 }, () => block) } }, 257),
      encode({ blocks: { blocks: [block] } }),
      encode({ blocks: { blocks: [block] } }, 2),
      encode({ blocks: { blocks: [{ cid, length: large }] } }, large),
      encode({ blocks: { blocks: [{ length: 1 }] } }, 1),
    ];
    expect(filesAnswerCodec.decode(encode({ blocks: { blocks: [block] } }, 1))).toMatchObject({
      kind: 'blocks',
    });
    for (const frame of bad) expect(filesAnswerCodec.decode(frame)).toEqual(refused);
  });
});
