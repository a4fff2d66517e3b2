import { describe, expect, it } from 'vitest';
import { type Io, show, type View } from '../../../src/cli/io.ts';

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
