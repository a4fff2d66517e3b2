import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { stopRequest } from '../../../src/roles/stop-request.ts';

function supervised(channel: object | undefined) {
  const host = new EventEmitter();
  return { host, process: Object.assign(host, { channel }) as unknown as NodeJS.Process };
}

describe('stopRequest', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'])('resolves at %s, the first time', async signal => {
    const { host, process } = supervised(undefined);
    const stop = stopRequest(process);
    host.emit(signal, signal);
    expect(await stop.requested).toBe(signal);
    expect(host.listenerCount(signal)).toBe(0);
  });

  it('resolves when the supervisor is gone', async () => {
    const { host, process } = supervised({});
    const stop = stopRequest(process);
    host.emit('disconnect');
    expect(await stop.requested).toBe('supervisor gone');
  });

  it('leaves no listener behind: one for the supervisor would keep the process alive', () => {
    const { host, process } = supervised({});
    const stop = stopRequest(process);
    expect(host.eventNames()).toContain('disconnect');
    stop.release();
    expect(host.eventNames()).toEqual([]);
  });
});
