import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { endWithOutput, type Io, show, type View, writePaced } from '../../../src/cli/io.ts';

const HOSTILE = 'a\u001b]0;gone\u0007b\u009b2Jc\u202edocx';

function shown(format: string, value: unknown, view: View): string {
  const lines: string[] = [];
  const io: Io = {
    environment: {},
    directory: '/',
    interactive: false,
    out: text => lines.push(text),
    err: text => lines.push(text),
  };
  show(io, format, value, view);
  return lines.join('\n');
}

describe('what a command shows', () => {
  it('[88] has no terminal escape and no turned text of others, wherever it stands', () => {
    const texts = [
      shown('table', null, { text: HOSTILE }),
      shown('table', null, { pairs: [[`file ${HOSTILE}`, HOSTILE]] }),
      shown('table', null, { head: ['NAME'], rows: [[HOSTILE]] }),
    ];
    for (const text of texts) {
      expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Bidi_Control}/u);
      expect(text).toContain('docx');
    }
  });

  it('[88] is JSON with the same value and no control character', () => {
    const text = shown('json', { name: HOSTILE }, {});
    expect(JSON.parse(text)).toEqual({ name: HOSTILE });
    expect(text).not.toMatch(/[^\P{Cc}\n]/u);
  });
});

describe('standard output', () => {
  const stalled = () => new Writable({ highWaterMark: 1, write: () => {} });

  it('that nobody reads does not hold up Ctrl-C', async () => {
    const stopping = new AbortController();
    const output = stalled();
    const written = writePaced(output, Buffer.from('bytes'), stopping.signal);
    stopping.abort(new Error('stopped'));
    await expect(written).rejects.toThrow('stopped');
    await expect(writePaced(output, Buffer.from('more'), stopping.signal)).rejects.toThrow('stopped');
    expect(output.writableLength).toBe(5);
  });

  it('whose reader has enough ends the command without a fault; a full disk is one', () => {
    const ends: (Error | null)[] = [];
    const output = stalled();
    endWithOutput(output, fault => ends.push(fault));
    const full = Object.assign(new Error('write ENOSPC'), { code: 'ENOSPC' });
    output.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    output.emit('error', full);
    expect(ends).toEqual([null, full]);
  });
});
