/** A generator that gives the same numbers for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Event {
  readonly caseId: string;
  readonly activity: string;
  readonly group: string;
  readonly resource: string;
}

const ACTIVITIES = ['Confirm receipt', 'Check, if complete', 'Ask "the neighbour"', 'Advise', 'Decide'];
/** One without a name, and one whose name says that it has none. */
const GROUPS = ['Group 1', 'Group 4', 'EMPTY', ''];
const COLUMNS = 'case:concept:name,concept:name,org:group,org:resource,time:timestamp';
const START_MS = Date.UTC(2011, 9, 11);

function quoted(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** An event log in the form of process-mining tools; its first events use every activity and every group. */
export function generateEventLog(
  seed: number,
  cases: number,
  events: number,
): { csv: string; events: Event[] } {
  const random = seeded(seed);
  const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)]!;
  const list = Array.from({ length: events }, (_, index) => ({
    caseId: `case-${index < cases ? index + 1 : 1 + Math.floor(random() * cases)}`,
    activity: index < ACTIVITIES.length ? ACTIVITIES[index]! : pick(ACTIVITIES),
    group: index < GROUPS.length ? GROUPS[index]! : pick(GROUPS),
    resource: `Resource ${Math.floor(random() * 30)}, room ${index}`,
  }));
  const lines = list.map((event, index) =>
    [event.caseId, event.activity, event.group, event.resource]
      .concat(new Date(START_MS + index * 60_000).toISOString())
      .map(quoted)
      .join(','),
  );
  return { csv: `${[COLUMNS, ...lines].join('\n')}\n`, events: list };
}
