import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { checkTypes, typeFault } from '../../../src/services/records/record-types.ts';

const NOTE = {
  name: 'note',
  schema: {
    type: 'object',
    properties: { text: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
    required: ['text'],
  },
};

const nested = (depth: number): object => (depth === 0 ? {} : { not: nested(depth - 1) });

describe('record types', () => {
  it.each([
    ['{"text":"hi"}', null],
    ['{"text":5}', '/text must be string'],
    ['{"text":"hi","tags":["a",1]}', '/tags/1 must be string'],
    ['{}', "/ must have required property 'text'"],
    ['hello', 'its data is not JSON'],
  ])('%s is answered with %j', (data, fault) => {
    expect(typeFault([NOTE], { type: 'note', data: utf8(data) })).toBe(fault);
  });

  it('are all that may be written, unless there are none', () => {
    expect(typeFault([NOTE], { type: 'memo', data: utf8('{}') })).toBe('"memo" is none of its types: note');
    expect(typeFault([], { type: 'memo', data: utf8('x') })).toBeNull();
  });

  it.each<[string, unknown, RegExp]>([
    ['a regular expression', { type: 'string', pattern: '(a+)+$' }, /\/pattern is a keyword/],
    [
      'regular expressions as names',
      { type: 'object', patternProperties: { '(a+)+$': {} } },
      /patternProperties/,
    ],
    ['a remote reference', { $ref: 'https://example.com/schema' }, /\$ref is a keyword/],
    ['a deep one', { properties: { x: { $ref: '#' } }, type: 'object' }, /\/properties\/x\/\$ref/],
    ['a format', { type: 'string', format: 'regex' }, /format/],
    ['quadratic work', { type: 'array', uniqueItems: true }, /uniqueItems/],
    ['a deep nest', nested(40), /deeper than 16/],
    ['many bytes', { description: 'x'.repeat(20_000) }, /bytes, at most/],
    ['many schemas', { anyOf: Array.from({ length: 1_200 }, () => ({})) }, /more than 1000/],
    ['a wrong type', { type: 'strin' }, /type/],
    ['no schema', 5, /no schema/],
  ])('refuse %s', (_, schema, detail) => {
    expect(checkTypes([{ name: 'x', schema }])).toMatchObject({
      reject: 'bad_record_type',
      detail: expect.stringMatching(detail),
    });
  });

  it('have a name once each', () => {
    expect(checkTypes([NOTE, NOTE])?.detail).toContain('stands twice');
    expect(checkTypes([NOTE])).toBeNull();
  });
});
