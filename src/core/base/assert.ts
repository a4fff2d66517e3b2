/** A broken invariant. It is never caught to go on: the process stops. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new AssertionError(`broken invariant: ${invariant}`);
}

/** For values that an earlier check has proven to be there. */
export function assertDefined<T>(value: T | null | undefined, invariant: string): T {
  if (value === undefined || value === null) throw new AssertionError(`broken invariant: ${invariant}`);
  return value;
}

export function assertNever(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
