import type { Verdict } from './table.ts';

/** What there is to know of one period of a phase. Text is looked for in every form in which programs write it. */
export interface Period {
  readonly name: 'before' | 'after';
  readonly record: string;
  readonly text: string;
  readonly fileText: string;
  readonly fileBytes: number;
  readonly ciphertextBytes: number;
  readonly phaseLabel: string;
  readonly projectLabel: string;
  /** The roles that bob has in this period. */
  readonly roles: readonly string[];
  /** As the chain has them: the leaf with its time, the body with its author, the file's metadata, bob's entry. */
  readonly leaf: Uint8Array;
  readonly body: Uint8Array;
  readonly fileReference: Uint8Array;
  readonly participant: Uint8Array;
}

type Json = { readonly [name: string]: unknown };

function* objectsIn(value: unknown): Generator<Json> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value as Json;
  for (const entry of Object.values(value)) yield* objectsIn(entry);
}

/** Bytes as they are, in hexadecimal, and in base64 at each of the three places where they may begin in a group. */
function formsOf(needle: Uint8Array): Buffer[] {
  const base64 = [0, 1, 2].map(skip => {
    const whole = needle.subarray(skip, needle.length - ((needle.length - skip) % 3));
    return Buffer.from(Buffer.from(whole).toString('base64'));
  });
  return [Buffer.from(needle), Buffer.from(Buffer.from(needle).toString('hex')), ...base64];
}

/** Everything that one actor got hold of: bytes, and answers that are JSON. */
export class Material {
  private readonly pieces: Buffer[] = [];
  private readonly answers: unknown[] = [];

  add(bytes: Uint8Array | string): void {
    this.pieces.push(Buffer.from(bytes as Uint8Array));
  }

  addAnswer(answer: unknown): void {
    this.answers.push(answer);
    this.add(JSON.stringify(answer) ?? '');
  }

  addAll(other: Material): void {
    this.pieces.push(...other.pieces);
    this.answers.push(...other.answers);
  }

  get bytes(): number {
    return this.pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  holds(needle: Uint8Array | string): boolean {
    const forms = formsOf(Buffer.from(needle as Uint8Array));
    return this.pieces.some(piece => forms.some(form => piece.includes(form)));
  }

  private says(test: (value: Json) => boolean): boolean {
    return this.answers.some(answer => {
      for (const value of objectsIn(answer)) if (test(value)) return true;
      return false;
    });
  }

  private sees(thing: string, period: Period): boolean {
    const ofRecord = (name: string) => this.says(value => value.id === period.record && name in value);
    switch (thing) {
      case 'payload':
        return this.holds(period.text);
      case 'file content':
        return this.holds(period.fileText);
      case 'file size':
        return this.holds(`"bytes":${period.fileBytes},`);
      case 'time':
        return this.holds(period.leaf) || ofRecord('time');
      case 'author':
        return this.holds(period.body) || ofRecord('author');
      case 'membership':
        return this.holds(period.participant) || this.says(value => isBob(value, period));
      case 'phase name':
        return this.holds(period.phaseLabel);
      case 'project name':
        return this.holds(period.projectLabel);
      default:
        throw new Error(`nobody looks for ${thing}`);
    }
  }

  /** Whether the size shows rounded up. */
  private seesBucket({ fileReference, ciphertextBytes }: Period): boolean {
    return this.holds(fileReference) || this.says(value => value.ciphertextBytes === ciphertextBytes);
  }

  /** What this actor knows: *yes* of names and membership is what they are now; of the rest, all that ever was. */
  verdict(thing: string, periods: readonly Period[]): Verdict | 'mixed' {
    const seen = periods.filter(period => this.sees(thing, period)).map(({ name }) => name);
    const isOfNow = ['membership', 'phase name', 'project name'].includes(thing) && seen.includes('after');
    if (isOfNow || (seen.length > 0 && seen.length === periods.length)) return 'yes';
    if (seen.length === 1 && seen[0] === 'before') return 'past';
    if (seen.length > 0) return 'mixed';
    return thing === 'file size' && periods.every(period => this.seesBucket(period)) ? 'bucket' : 'no';
  }
}

function isBob(value: Json, { roles }: Period): boolean {
  const own = value.roles;
  return value.member === 'bob' && Array.isArray(own) && [...own].sort().join() === [...roles].sort().join();
}
