import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../src/core/base/bytes.ts';
import { isReject, reject } from '../../../src/core/base/reject.ts';
import {
  decodeProtocols,
  decodeReject,
  encodeProtocols,
  encodeReject,
  FRAME_KINDS,
  type Frame,
  FrameParser,
  frameHeader,
} from '../../../src/transport/frame.ts';

/** A small generator of numbers below `bound` from a seed that failures print. */
function numbers(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return bound => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

function drain(parser: FrameParser): Frame[] {
  const frames: Frame[] = [];
  for (let frame = parser.take(); frame !== null; frame = parser.take()) frames.push(frame);
  return frames;
}

describe('frame parser', () => {
  it('gives the same frames however the bytes are cut', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const next = numbers(seed);
      const sent = Array.from({ length: 40 }, (_, id): Frame => {
        const payload = Uint8Array.from({ length: next(5) === 0 ? next(2_000) : next(40) }, () => next(256));
        return { kind: FRAME_KINDS.request, id, payload };
      });
      const bytes = concatBytes(
        ...sent.flatMap(frame => [frameHeader(frame.kind, frame.id, frame.payload.length), frame.payload]),
      );
      const parser = new FrameParser(2_000);
      const got: Frame[] = [];
      for (let offset = 0; offset < bytes.length; ) {
        const end = offset + 1 + next(next(4) === 0 ? 3_000 : 30);
        parser.push(Buffer.from(bytes.subarray(offset, end)));
        got.push(...drain(parser));
        offset = end;
      }
      const text = (frames: readonly Frame[]) =>
        frames.map(({ id, payload }) => `${id}:${Buffer.from(payload).toString('hex')}`).join(' ');
      expect(text(got) === text(sent), `seed ${seed}`).toBe(true);
    }
  });

  it('does not give out memory that later bytes overwrite', () => {
    const buffer = Buffer.alloc(64);
    buffer.set(frameHeader(FRAME_KINDS.message, 0, 2));
    buffer.set([1, 2], 9);
    const parser = new FrameParser(100);
    parser.push(buffer.subarray(0, 11));
    const frame = parser.take();
    buffer.fill(0);
    expect(frame?.payload).toEqual(Uint8Array.of(1, 2));
  });

  it('[32] stops for good at an absurd length or an unknown kind, before the payload is there', () => {
    for (const header of [frameHeader(FRAME_KINDS.message, 0, 0xffff_ffff), frameHeader(9 as 0, 0, 1)]) {
      const parser = new FrameParser(1_000);
      parser.push(header);
      expect(parser.take()).toBeNull();
      expect(parser.fault).not.toBeNull();
      parser.push(frameHeader(FRAME_KINDS.message, 0, 0));
      expect(parser.take()).toBeNull();
    }
  });
});

describe('frame contents', () => {
  it('carries a refusal, its detail cut to the limit', () => {
    expect(decodeReject(encodeReject(reject('no', 'why')))).toEqual(reject('no', 'why'));
    const long = decodeReject(encodeReject(reject('no', 'é'.repeat(5_000), 'ignore')));
    expect(long).toEqual(reject('no', 'é'.repeat(1_024), 'ignore'));
    expect(decodeReject(Uint8Array.of(1, 2, 3)).reject).toBe('undecodable');
  });

  it('carries a bounded list of protocols', () => {
    const ids = Array.from({ length: 8 }, (_, index) => `/phaseline/p${index}/1`);
    expect(decodeProtocols(encodeProtocols(ids), 8)).toEqual(ids);
    expect(isReject(decodeProtocols(encodeProtocols(ids), 7))).toBe(true);
  });
});
