import { utf8Decode } from '../core/base/bytes.ts';
import { RpcFailure } from './errors.ts';

const QUOTE = 34;
const BACKSLASH = 92;

/** Where the string that is open at `start` ends: most of a long text is searched, not read. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

/** Nesting depth of JSON text without parsing it, so that no hostile depth reaches the parser's stack (SCENARIOS 90). */
function isDeeperThan(text: string, depthMax: number): boolean {
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) {
      index = stringEnd(text, index + 1);
    } else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > depthMax) return true;
    } else if (code === 0x5d || code === 0x7d) {
      depth -= 1;
    }
  }
  return false;
}

function hasProtoKey(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Object.hasOwn(value, '__proto__')) return true;
  return Object.values(value).some(hasProtoKey);
}

/**
 * JSON from outside: strict UTF-8, bounded depth, no `__proto__` keys (a later merge must not be able to poison a prototype).
 *
 * @throws RpcFailure `parse_error` or `invalid_request`
 */
export function parseJson(source: Uint8Array | string, depthMax: number): unknown {
  const text = typeof source === 'string' ? source : utf8Decode(source);
  if (text === null) throw parseError('the text is not UTF-8');
  if (isDeeperThan(text, depthMax)) {
    throw new RpcFailure('invalid_request', 'Invalid Request', {
      reason: 'json_too_deep',
      hint: `At most ${depthMax} levels of nesting are read.`,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw parseError('the text is not JSON');
  }
  // A key can only be spelt plainly or with escapes: most texts have neither and are not walked.
  if ((text.includes('__proto__') || text.includes('\\u')) && hasProtoKey(value)) {
    throw new RpcFailure('invalid_request', 'Invalid Request', {
      reason: 'forbidden_key',
      hint: 'The key __proto__ is not accepted.',
    });
  }
  return value;
}

function parseError(hint: string): RpcFailure {
  return new RpcFailure('parse_error', 'Parse error', { reason: 'parse_error', hint });
}
