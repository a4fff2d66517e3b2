import { expect, it } from 'vitest';
import { KeyIndex } from './key-index.ts';

it('gives every key to who looks at all of them, and those of one keyspace to who reads that', () => {
  const keys = ['meta/head', 'block/2', 'block/1', 'tx/a'];
  const index = new KeyIndex(new Map(keys.map(key => [key, new Uint8Array(1)])));
  expect(index.between({ from: '', to: '~' })).toEqual(['block/1', 'block/2', 'meta/head', 'tx/a']);
  expect(index.between({ from: 'block/1\0', to: '~' })).toEqual(['block/2', 'meta/head', 'tx/a']);
  expect(index.between({ from: 'block/', to: 'block/~' })).toEqual(['block/1', 'block/2']);
});
