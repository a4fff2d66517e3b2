import type { PhaseStanding } from '../rpc/admin-api.ts';

/** Where a member stands towards a phase. */
export type Standing = 'foreign' | 'removed' | 'participant';

/** `past`: of the time before the removal. */
export type Verdict = 'yes' | 'no' | 'past';

export const THINGS = [
  'payload',
  'file content',
  'file size',
  'time',
  'author',
  'membership',
  'phase name',
  'project name',
] as const;
export type Thing = (typeof THINGS)[number];

/** The rows of docs/privacy.md that a member's own node can try; a test compares the two. */
export const EXPECTED: Readonly<Record<Standing, Verdict>> = {
  foreign: 'no',
  removed: 'past',
  participant: 'yes',
};

/** What one way to another node brought. */
export interface Probe {
  readonly way: string;
  readonly kind: 'log' | 'file';
  readonly answer: 'served' | 'refused' | 'unreachable';
  readonly reason: string;
}

/** What the member's own node has of the phase; where the member owns it, there is nothing to try. */
export type Own = PhaseStanding & { readonly standing: Standing };

export interface CellReport {
  readonly thing: Thing;
  readonly expected: Verdict;
  /** Null when no way could be tried. */
  readonly observed: Verdict | null;
  readonly by: string;
}

const ONLY_OWN = 'what its own node has';

/** Where the ways of one kind lead: to what is served beyond the member's own time, to nothing, or nowhere. */
function reach(probes: readonly Probe[], kind: Probe['kind']): { served: readonly string[]; tried: boolean } {
  const ways = probes.filter(probe => probe.kind === kind);
  return {
    served: ways.filter(({ answer }) => answer === 'served').map(({ way }) => way),
    tried: ways.some(({ answer }) => answer !== 'unreachable'),
  };
}

function observe(
  own: Own,
  served: readonly string[],
  tried: boolean,
): Omit<CellReport, 'thing' | 'expected'> {
  if (own.standing === 'participant') return { observed: 'yes', by: ONLY_OWN };
  if (served.length > 0) return { observed: 'yes', by: served.join(', ') };
  if (!tried) return { observed: null, by: 'nobody could be asked' };
  return { observed: EXPECTED[own.standing], by: 'refused everywhere' };
}

/** What the keys of the node open that it should not: nothing, for one who was removed before the newest epoch. */
function observeKeys(own: Own, opens: boolean, what: string): Omit<CellReport, 'thing' | 'expected'> {
  if (own.standing === 'participant') return { observed: 'yes', by: ONLY_OWN };
  if (opens) return { observed: 'yes', by: `its keys open ${what}` };
  return { observed: EXPECTED[own.standing], by: `its keys do not open ${what}` };
}

/** Each cell of the member's row, as it is found. */
export function cellsOf(own: Own, probes: readonly Probe[]): CellReport[] {
  const log = reach(probes, 'log');
  const file = reach(probes, 'file');
  const opensNewest = own.epochs > 0 && !own.frozen && own.openEpochs.includes(own.epochs - 1);
  const opensCard = own.opensCard && !own.frozen;
  const knowsName = own.standing === 'foreign' ? own.label !== null : opensCard;
  const knowsProject = own.standing === 'foreign' ? own.projectLabel !== null : opensCard;
  return THINGS.map(thing => {
    const found = () => {
      switch (thing) {
        case 'payload':
          return observeKeys(own, opensNewest, 'the newest key epoch');
        case 'phase name':
          return observeKeys(own, knowsName, 'the card of the phase');
        case 'project name':
          return observeKeys(own, knowsProject, 'a card that names the project');
        case 'file content':
          return observe(own, file.served, file.tried);
        default:
          return observe(own, log.served, log.tried);
      }
    };
    return { thing, expected: EXPECTED[own.standing], ...found() };
  });
}
