import { describe, expect, it } from 'vitest';
import type { Hash, LogId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { lightRequestCodec } from '../../../src/wire/light.ts';

const hash = (digit: string) => digit.repeat(64) as Hash;

describe('requests of light clients', () => {
  it('[95] refuses one that asks for the same thing twice', () => {
    const ids = (list: readonly Hash[]) =>
      lightRequestCodec.decode(lightRequestCodec.encode({ kind: 'status', ids: list }));
    expect(ids([hash('a'), hash('b')])).toEqual({ kind: 'status', ids: [hash('a'), hash('b')] });
    expect(isReject(ids([hash('a'), hash('b'), hash('a')]))).toBe(true);
    const log = (digit: string) => ({ logId: hash(digit) as LogId, held: [], digest: null, ended: false });
    const logs = (...list: ReturnType<typeof log>[]) =>
      lightRequestCodec.decode(
        lightRequestCodec.encode({ kind: 'logs', knownHeight: 0, scopesFrom: 0, logs: list }),
      );
    expect(isReject(logs(log('a'), log('b')))).toBe(false);
    expect(isReject(logs(log('a'), log('a')))).toBe(true);
  });
});
