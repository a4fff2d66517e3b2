import { describe, expect, it } from 'vitest';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { failureOfThrown } from '../../../src/rpc/errors.ts';

describe('what a method threw', () => {
  it('tells a full quota as a limit, with its own hint, and names nothing local to strangers', () => {
    const thrown = new OperatingError('quota_exceeded', 'the quota of this node is 10 bytes', 'Raise it.');
    const own = failureOfThrown(thrown, true);
    expect([own?.error, own?.message, own?.data]).toEqual([
      'limit_exceeded',
      'the quota of this node is 10 bytes',
      { reason: 'quota_exceeded', hint: 'Raise it.' },
    ]);
    const strange = failureOfThrown(thrown, false);
    expect([strange?.error, strange?.data]).toEqual([
      'limit_exceeded',
      { reason: 'quota_exceeded', hint: null },
    ]);
    expect(strange?.message).not.toContain('10 bytes');
  });

  it('tells a failure of the machine as unavailable, under its code', () => {
    const failed = failureOfThrown(new OperatingError('disk_full', 'no room', null), true);
    expect([failed?.error, failed?.data.reason]).toEqual(['unavailable', 'disk_full']);
    expect(failureOfThrown(new Error('a bug'), true)).toBeNull();
  });
});
