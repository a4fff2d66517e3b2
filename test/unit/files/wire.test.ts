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
      { phase, root: cid, kind: 'have' },
      { phase, root: cid, kind: 'get', cids: [cid, 'x'] },
    ];
    for (const request of requests) {
      expect(filesRequestCodec.decode(filesRequestCodec.encode(request))).toEqual(request);
    }
    const answers: FilesAnswer[] = [
      { kind: 'holding', extent: 'none' },
      { kind: 'holding', extent: 'partial' },
      { kind: 'holding', extent: 'whole' },
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
      encode({ phase: id, root: cid }),
      encode({ phase: new Uint8Array(31), root: cid, have: {} }),
      encode({ phase: id, root: '', have: {} }),
      encode({ phase: id, root: 'x'.repeat(97), have: {} }),
      encode({ phase: id, root: cid, get: { cids: [] } }),
      encode({ phase: id, root: cid, get: { cids: [''] } }),
      encode({ phase: id, root: cid, get: { cids: Array.from({ length: 17 }, () => cid) } }),
      new Uint8Array([0xff, 0xff]),
    ];
    for (const frame of bad) expect(filesRequestCodec.decode(frame)).toEqual(refused);
  });

  it('[32] refuses malformed answers', () => {
    const encode = (wire: phaseline.FilesAnswer.$Properties) => phaseline.FilesAnswer.encode(wire).finish();
    const block = { cid, data: new Uint8Array(1) };
    const bad = [
      encode({}),
      encode({ holding: { extent: 3 } }),
      encode({ blocks: { blocks: Array.from({ length: 17 }, () => block) } }),
      encode({ blocks: { blocks: [{ cid, data: new Uint8Array(2 * 1024 * 1024 + 1) }] } }),
      encode({ blocks: { blocks: [{ data: new Uint8Array(1) }] } }),
    ];
    for (const frame of bad) expect(filesAnswerCodec.decode(frame)).toEqual(refused);
  });
});
