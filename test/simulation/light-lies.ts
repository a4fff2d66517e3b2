import { isReject } from '../../src/core/base/reject.ts';
import { type LightAnswer, type LogPart, lightAnswerCodec } from '../../src/wire/light-answer.ts';
import { hashOf } from './consortium.ts';
import type { World } from './machine.ts';

type Lie = (answer: LightAnswer) => LightAnswer | null;

function inParts(answer: LightAnswer, change: (part: LogPart) => LogPart | null): LightAnswer | null {
  if (answer.kind !== 'logs') return null;
  let isChanged = false;
  const logs = answer.logs.map(log => {
    const part = log.kind === 'part' ? change(log.part) : null;
    if (part === null) return log;
    isChanged = true;
    return { ...log, part } as typeof log;
  });
  return isChanged ? { ...answer, logs } : null;
}

/** What a source says that leads its asker astray where nothing is verified (SCENARIOS 75–78). */
const LIES: Readonly<Record<string, Lie>> = {
  withheld: answer =>
    inParts(answer, part => (part.items.length < 2 ? null : { ...part, items: part.items.toSpliced(1, 1) })),
  truncated: answer =>
    inParts(answer, part =>
      part.items.length === 0
        ? null
        : {
            ...part,
            entry: { ...part.entry, size: part.entry.size - 1 },
            items: part.items.slice(0, -1),
          },
    ),
  'ended too early': answer => inParts(answer, part => ({ ...part, ended: true, state: null })),
  'another state': answer =>
    inParts(answer, part => (part.state === null ? null : { ...part, state: new Uint8Array(40) })),
  'no such scope': answer =>
    answer.kind === 'logs' && answer.scopes.length > 0 ? { ...answer, scopes: [], scopeCount: 0 } : null,
  refused: answer =>
    answer.kind === 'logs'
      ? {
          ...answer,
          logs: answer.logs.map(({ logId }) => ({ logId, kind: 'refused' as const, code: 'not_readable' })),
        }
      : null,
  'a short certificate': answer => {
    if ((answer.kind !== 'logs' && answer.kind !== 'head') || answer.certified === null) return null;
    const { header, certificate } = answer.certified;
    const signatures = certificate.signatures.slice(1);
    return { ...answer, certified: { header, certificate: { ...certificate, signatures } } };
  },
  'a forged head': answer => {
    if ((answer.kind !== 'logs' && answer.kind !== 'head') || answer.certified === null) return null;
    const { header, certificate } = answer.certified;
    return { ...answer, certified: { certificate, header: { ...header, mapRoot: hashOf('forged') } } };
  },
  'no set changes': answer =>
    answer.kind === 'head' && answer.changes.length > 0 ? { ...answer, changes: [] } : null,
};

const TOLD = 'light: told ';
const STALE = `${TOLD}a stale answer`;

export const LIE_NAMES = [...Object.keys(LIES).map(name => `${TOLD}${name}`), STALE];

const KEPT_MAX = 16;

/** A faulty source's answers to light clients. */
export class LightLies {
  private readonly old: Uint8Array[] = [];
  /** Lies are told in turns, so that each has its share of the few answers of a run. */
  private turn: number;

  constructor(private readonly world: World) {
    this.turn = world.random.between(0, LIE_NAMES.length - 1);
  }

  tell(frame: Uint8Array): Uint8Array {
    const { random, coverage } = this.world;
    if (this.old.length < KEPT_MAX && random.chance(0.2)) this.old.push(frame);
    const answer = lightAnswerCodec.decode(frame);
    if (isReject(answer)) return frame;
    for (let tries = 0; tries < LIE_NAMES.length; tries += 1) {
      const name = LIE_NAMES[this.turn % LIE_NAMES.length] as string;
      const told = this.lieOf(name, answer);
      // One that fits no answer of this kind has its turn with the next.
      if (told === null && random.chance(0.5)) return frame;
      this.turn += 1;
      if (told === null) continue;
      coverage.hit(name);
      return told;
    }
    return frame;
  }

  private lieOf(name: string, answer: LightAnswer): Uint8Array | null {
    if (name === STALE) return this.old.length === 0 ? null : this.world.random.pick(this.old);
    const lie = LIES[name.slice(TOLD.length)]?.(answer) ?? null;
    return lie === null ? null : lightAnswerCodec.encode(lie);
  }
}
