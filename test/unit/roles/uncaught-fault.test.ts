import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { uncaughtFault } from '../../../src/roles/uncaught-fault.ts';

const newHost = () => new EventEmitter() as unknown as NodeJS.Process;

describe('uncaughtFault', () => {
  it.each(['unhandledRejection', 'uncaughtException'] as const)('resolves at the first %s', async event => {
    const host = newHost();
    const fault = uncaughtFault(host);
    const error = new Error('the disk answers something else');
    host.emit(event as 'uncaughtException', error);
    host.emit(event as 'uncaughtException', new Error('another'));
    expect(await fault.occurred).toBe(error);
  });

  it('makes an error of what is none', async () => {
    const host = newHost();
    const fault = uncaughtFault(host);
    host.emit('unhandledRejection', 'words', Promise.resolve());
    expect((await fault.occurred).message).toBe('words');
  });

  it('leaves no listener behind', () => {
    const host = newHost();
    uncaughtFault(host).release();
    expect(host.eventNames()).toEqual([]);
  });
});
