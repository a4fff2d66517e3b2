import { getHeapStatistics } from 'node:v8';
import { Script } from 'node:vm';
import fc from 'fast-check';
import { expect } from 'vitest';
import { concatBytes, equalBytes, toHex } from '../../src/core/base/bytes.ts';
import { isReject, type Reject } from '../../src/core/base/reject.ts';

/** The same seed gives the same inputs; fast-check names seed and path of what it shrank. */
export const seed = Number(process.env.PHASELINE_SEED ?? Date.now() % 2 ** 31);
/** `PHASELINE_FUZZ_RUNS=100 npx vitest run test/fuzz` searches a hundred times as long. */
const factor = Number(process.env.PHASELINE_FUZZ_RUNS ?? 1);

export const FUZZ_TIMEOUT = { timeout: 24 * 3_600_000 };

export function announce(file: string): void {
  console.log(`${file} seed ${seed} (PHASELINE_SEED repeats it, PHASELINE_FUZZ_RUNS multiplies the runs)`);
}

/** Processor time that one input may take, in milliseconds: many times what any needs. */
const INPUT_CPU_MS = 2000;
/** After so long the clock of the processor is looked at, and after twice as long again: a loaded machine is elsewhere. */
const LOOK_MS = 3000;

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

// What a script calls is interrupted with it, also a loop that never ends.
const script = new Script('globalThis.fuzzed()');
const scope = globalThis as { fuzzed?: () => unknown };

/** @returns false when the work was interrupted after `timeout` milliseconds */
function finishes(work: () => unknown, timeout: number): boolean {
  scope.fuzzed = work;
  try {
    script.runInThisContext({ timeout });
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return false;
    throw error;
  }
}

function refuseSlow(startedMs: number, input: () => string): void {
  const usedMs = cpuMs() - startedMs;
  if (usedMs <= INPUT_CPU_MS) return;
  throw new Error(`seed ${seed}: ${Math.round(usedMs)} ms of processor time for one input: ${input()}`);
}

/** What `work` answers; an error with seed and input when it takes too long. Begun anew when the machine was busy elsewhere. */
export function limited<Result>(work: () => Result, input: () => string): Result {
  for (let lookMs = LOOK_MS; ; lookMs *= 2) {
    const startedMs = cpuMs();
    const results: Result[] = [];
    const isOver = finishes(() => results.push(work()), lookMs);
    refuseSlow(startedMs, input);
    if (isOver) return results[0] as Result;
  }
}

/** The same for what can only be measured: its parts that wait cannot be begun anew. */
async function measured<Result>(work: () => Promise<Result>, input: () => string): Promise<Result> {
  const startedMs = cpuMs();
  const result = await work();
  refuseSlow(startedMs, input);
  return result;
}

export function fuzz<Values extends [unknown, ...unknown[]]>(
  runs: number,
  property: fc.IProperty<Values> | fc.IAsyncProperty<Values>,
) {
  const run = (values: Values) => {
    const input = () => fc.stringify(values);
    return property.isAsync()
      ? measured(async () => property.run(values), input)
      : limited(() => property.run(values), input);
  };
  const timed = Object.create(property, { run: { value: run } }) as fc.IProperty<Values>;
  return fc.assert(timed, { seed, numRuns: Math.max(1, Math.round(runs * factor)) });
}

/** A decoder, what encodes its values again, and bytes that it takes. */
export interface Subject {
  readonly name: string;
  readonly decode: (bytes: Uint8Array) => unknown;
  /** @param bytes what the value was decoded from */
  readonly encode: (value: never, bytes: Uint8Array) => Uint8Array;
  readonly samples: readonly Uint8Array[];
}

export function subject<Result>(
  name: string,
  decode: (bytes: Uint8Array) => Result,
  encode: (value: Exclude<Result, Reject>, bytes: Uint8Array) => Uint8Array,
  samples: readonly Uint8Array[],
): Subject {
  // Plain copies: `slice` of a Buffer would share memory, and a change would change the sample.
  const plain = samples.map(bytes => Uint8Array.from(bytes));
  return { name, decode, encode: encode as Subject['encode'], samples: plain };
}

function heapBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}

/** What a decoder may allocate: a fixed amount for the machinery, and a multiple of the input. */
const ALLOWED = { freeBytes: 4 << 20, multiple: 64 } as const;

/**
 * Decodes hostile bytes: no exception, no more memory than the input is worth, and either a Reject or a value whose one
 * encoding these bytes are.
 * @returns whether the bytes were taken
 */
export function decodeHostile({ name, decode, encode }: Subject, bytes: Uint8Array): boolean {
  const before = heapBytes();
  let value: unknown;
  try {
    value = decode(bytes);
  } catch (error) {
    throw new Error(`${name} throws on ${toHex(bytes)}`, { cause: error });
  }
  const grown = heapBytes() - before;
  const most = ALLOWED.freeBytes + ALLOWED.multiple * bytes.length;
  if (grown > most) throw new Error(`${name} takes ${grown} bytes for ${bytes.length}: ${toHex(bytes)}`);
  if (isReject(value)) return false;
  const again = encode(value as never, bytes);
  if (!equalBytes(again, bytes)) expect(toHex(again), name).toBe(toHex(bytes));
  return true;
}

/** Numbers at which lengths, counts and heights go wrong [97]. */
const EDGES_32 = [0, 1, 2, 0xff, 0xffff, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1] as const;
const EDGES_64: readonly bigint[] = [2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

function put(bytes: Uint8Array, at: number, size: 4 | 8, value: bigint): Uint8Array {
  const changed = bytes.slice();
  for (let index = 0; index < size && at + index < changed.length; index += 1)
    changed[at + index] = Number((value >> BigInt(8 * (size - 1 - index))) & 0xffn);
  return changed;
}

/** Every edge at an offset: as u32 and as u64. */
export function edgesAt(bytes: Uint8Array, at: number): Uint8Array[] {
  const words = EDGES_32.slice(-3).map(value => put(bytes, at, 4, BigInt(value)));
  return [...words, ...EDGES_64.slice(1).map(value => put(bytes, at, 8, value))];
}

interface Change {
  readonly kind: 'flip' | 'byte' | 'cut' | 'drop' | 'insert' | 'double' | 'splice' | 'word' | 'long';
  readonly at: number;
  readonly size: number;
  readonly with: number;
}

const change = fc.record<Change>({
  kind: fc.constantFrom('flip', 'byte', 'cut', 'drop', 'insert', 'double', 'splice', 'word', 'long'),
  at: fc.nat(),
  size: fc.oneof(fc.nat(8), fc.nat(128), fc.constantFrom(32, 33, 64)),
  with: fc.nat(),
});

function apply(bytes: Uint8Array, { kind, at: place, size, with: value }: Change, other: Uint8Array) {
  const at = place % (bytes.length + 1);
  const [before, after, rest] = [bytes.slice(0, at), bytes.slice(at), bytes.slice(at + size)];
  switch (kind) {
    case 'flip': {
      const changed = bytes.slice();
      if (at < changed.length) changed[at] = changed[at]! ^ (1 << (value % 8));
      return changed;
    }
    case 'byte':
      return concatBytes(before, Uint8Array.of(value & 0xff), bytes.slice(at + 1));
    case 'cut':
      return before;
    case 'drop':
      return concatBytes(before, rest);
    case 'insert':
      return concatBytes(before, new Uint8Array(size).fill(value & 0xff), after);
    case 'double':
      return concatBytes(before, bytes.slice(at, at + size), after);
    case 'splice': {
      const from = value % (other.length + 1);
      return concatBytes(before, other.slice(from, from + size), rest);
    }
    case 'word':
      return put(bytes, at, 4, BigInt(EDGES_32[value % EDGES_32.length]!));
    case 'long':
      return put(bytes, at, 8, EDGES_64[value % EDGES_64.length]!);
  }
}

/** A valid encoding of one of the subjects, changed up to four times, for that subject. */
export function mutant(subjects: readonly Subject[]): fc.Arbitrary<{ to: Subject; bytes: Uint8Array }> {
  const place = fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat());
  return fc.tuple(place, fc.array(change, { minLength: 1, maxLength: 4 })).map(([picks, changes]) => {
    const sampleOf = (which: number, index: number) => {
      const { samples } = subjects[which % subjects.length]!;
      return samples[index % samples.length]!;
    };
    const [which, index, otherWhich, otherIndex] = picks;
    const other = sampleOf(otherWhich, otherIndex);
    const bytes = changes.reduce<Uint8Array>(
      (changed, each) => apply(changed, each, other),
      sampleOf(which, index),
    );
    return { to: subjects[which % subjects.length]!, bytes };
  });
}

/** Bytes of any kind, short and long, many of them small numbers as counts and lengths are. */
export const anyBytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.uint8Array({ maxLength: 2048, size: 'max' }),
  fc
    .array(fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 8, 10, 18, 32, 33, 64, 97, 127, 128, 255), {
      maxLength: 512,
      size: 'max',
    })
    .map(values => Uint8Array.from(values)),
);

const check = (each: Subject, bytes: Uint8Array) =>
  limited(
    () => decodeHostile(each, bytes),
    () => `${each.name} ${toHex(bytes)}`,
  );

/** What every decoder owes to whoever feeds it. */
export function checkSubjects(subjects: readonly Subject[], runs: number): void {
  for (const each of subjects) {
    expect(each.samples.length, `${each.name} has a sample`).toBeGreaterThan(0);
    for (const bytes of each.samples) expect(check(each, bytes), each.name).toBe(true);
  }
  fuzz(
    runs,
    fc.property(anyBytes, bytes => {
      for (const each of subjects) decodeHostile(each, bytes);
    }),
  );
}

export function checkMutants(subjects: readonly Subject[], runs: number): void {
  fuzz(
    runs,
    fc.property(mutant(subjects), ({ to, bytes }) => {
      decodeHostile(to, bytes);
    }),
  );
}

/** Lengths and counts at every offset, or at about as many offsets as given in a long sample. */
export function checkEdges(subjects: readonly Subject[], offsets: number): void {
  for (const each of subjects)
    for (const bytes of each.samples.slice(0, 2)) {
      const stride = Math.max(1, Math.floor(bytes.length / (offsets * factor)));
      for (let at = seed % stride; at < bytes.length; at += stride)
        for (const changed of edgesAt(bytes, at)) check(each, changed);
    }
}
