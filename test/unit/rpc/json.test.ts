import { describe, expect, it } from 'vitest';
import { RpcFailure } from '../../../src/rpc/errors.ts';
import { parseJson } from '../../../src/rpc/json.ts';
import { Random } from '../../simulation/random.ts';

const CHARACTERS = ['"', '\\', '[', ']', '{', '}', 'a', '\n', 'é'];

function reasonOf(text: string, depthMax: number): string | null {
  try {
    parseJson(text, depthMax);
    return null;
  } catch (error) {
    return error instanceof RpcFailure ? error.data.reason : String(error);
  }
}

/** A value that is exactly `depth` deep, with strings that look like structure. */
function nested(random: Random, depth: number): unknown {
  const text = Array.from({ length: random.between(0, 8) }, () => random.pick(CHARACTERS)).join('');
  if (depth === 0) return random.chance(0.8) ? text : random.between(0, 9);
  const inner = nested(random, depth - 1);
  const beside = nested(random, random.between(0, depth - 1));
  return random.chance(0.5) ? [beside, text, inner] : { [text]: beside, [`${text}"`]: inner };
}

describe('the depth of JSON text', () => {
  it('[90] counts brackets, and none inside strings, whatever is escaped there', () => {
    const seed = Date.now() % 2 ** 31;
    const random = new Random(seed);
    for (let run = 0; run < 500; run += 1) {
      const depth = random.between(1, 6);
      const text = JSON.stringify(nested(random, depth));
      expect([reasonOf(text, depth), reasonOf(text, depth - 1)], `seed ${seed}: ${text}`).toEqual([
        null,
        'json_too_deep',
      ]);
    }
  });

  it('[90] is found in one pass also where a string never ends', () => {
    const open = [`"${'\\"'.repeat(1_000_000)}`, `"${'\\'.repeat(2_000_001)}"`, '"'.repeat(1_000_001)];
    expect(open.map(text => reasonOf(text, 4))).toEqual(['parse_error', 'parse_error', 'parse_error']);
    expect(reasonOf(`["\\\\",${'['.repeat(4)}`, 4)).toBe('json_too_deep');
  });
});
