import type { Effect } from '../../src/core/pbft/effect.ts';
import type { Engine } from '../../src/core/pbft/engine.ts';
import type { Input } from '../../src/core/pbft/input.ts';
import type { MessageKind } from '../../src/core/pbft/messages.ts';
import { lastHeightOfView, type Slot } from '../../src/core/pbft/state.ts';
import type { Consensus } from '../../src/services/consensus/consensus.ts';
import type { Coverage } from './coverage.ts';

/** One name for each kind, made once: what is counted here is counted for each input. */
function named<Kind extends string>(area: string, kinds: Readonly<Record<Kind, true>>): Record<Kind, string> {
  return Object.fromEntries(Object.keys(kinds).map(kind => [kind, `${area}: ${kind}`])) as Record<
    Kind,
    string
  >;
}

const INPUTS = named<Exclude<Input['type'], 'message'>>('input', {
  ...{ start: true, otherSet: true, connected: true, timer: true, persisted: true, pending: true },
  ...{ built: true, buildEmpty: true, executed: true, committed: true, synced: true, fetched: true },
  ...{ complain: true, unreachable: true },
});

const MESSAGES = named<MessageKind>('message', {
  ...{ prePrepare: true, prepare: true, commit: true, checkpoint: true },
  ...{ viewChange: true, newView: true, status: true, complaint: true },
});

const EFFECTS = named<Effect['type']>('effect', {
  ...{ persist: true, trim: true, send: true, setTimer: true, cancelTimer: true, build: true },
  ...{ execute: true, commit: true, discard: true, returnToPool: true, sync: true, fetchBlock: true },
  ...{ fetchNewView: true, archive: true, evidence: true, halt: true },
});

const SEEN = {
  rotated: 'transition: rotation of the primary',
  joined: 'transition: f + 1 complaints joined',
  skipped: 'transition: dead primaries skipped',
  drained: 'transition: buffered messages drained',
  trimmed: 'transition: stable checkpoint trims the log',
  fetchedBlock: 'transition: block fetched',
  fetchedView: 'transition: NEW-VIEW fetched',
  primaryLeft: 'transition: primary removed from the set',
  selfLeft: 'transition: removed from the set',
} as const;

/** Only more than f faulty validators make a node halt. */
export const HALT_NAME = EFFECTS.halt;

export const ENGINE_NAMES = [INPUTS, MESSAGES, EFFECTS, SEEN]
  .flatMap((names): string[] => Object.values(names))
  .filter(name => name !== HALT_NAME);

/** What the shell keeps to itself; it is looked at from outside. */
interface Inside {
  readonly engine: Engine | null;
  readonly effects: Record<string, (effect: Effect) => void>;
  readonly network: { ask(...given: readonly [string, { readonly type: string }]): Promise<unknown> };
  give(input: Input): void;
}

/** Looks on at each step of an engine. */
export interface Onlooker {
  /** Before a step, and others that follow from it at once. */
  given(engine: Engine, input: Input): void;
  /** The engine is as the step has left it. */
  asks(engine: Engine, effect: Effect): void;
  /** After them. */
  rests(engine: Engine): void;
}

/** Counts what the engine of a program is given, what it asks for, and what comes of it. */
export function watchEngine(consensus: Consensus, coverage: Coverage, onlooker: Onlooker): void {
  const inside = consensus as unknown as Inside;
  const { effects, network } = inside;
  for (const [name, perform] of Object.entries(effects))
    effects[name] = effect => {
      coverage.hit(EFFECTS[effect.type]);
      if (effect.type === 'trim' && effect.records.length > 0) coverage.hit(SEEN.trimmed);
      if (inside.engine !== null) onlooker.asks(inside.engine, effect);
      perform(effect);
    };
  const step = inside.give.bind(consensus);
  let isStepping = false;
  const give = (input: Input) => {
    const { engine } = inside;
    // What an effect gives at once waits for the step that it comes of.
    if (engine === null || isStepping) return step(input);
    isStepping = true;
    onlooker.given(engine, input);
    step(input);
    onlooker.rests(engine);
    isStepping = false;
  };
  inside.give = input => {
    coverage.hit(input.type === 'message' ? MESSAGES[input.message.content.kind] : INPUTS[input.type]);
    const { engine } = inside;
    if (engine === null) return give(input);
    const { view, reign, seat } = engine;
    const { count } = engine.future;
    const lastHeight = lastHeightOfView(engine);
    const slot = input.type === 'fetched' ? missing(engine, input.block.header.height) : null;
    give(input);
    if (slot !== null && slot.block !== null) coverage.hit(SEEN.fetchedBlock);
    if (engine.reign !== reign) countLeaving(engine, reign, view, seat?.index ?? null, coverage);
    else {
      if (engine.future.count < count) coverage.hit(SEEN.drained);
      if (engine.view > view && !engine.active) countNext(engine, view, lastHeight, input, coverage);
    }
  };
  const ask = network.ask.bind(network);
  network.ask = async (...given) => {
    const answer = (await ask(...given)) as { readonly newView?: unknown } | null;
    if (answer?.newView != null) coverage.hit(SEEN.fetchedView);
    return answer;
  };
}

/** A block that is known by its hash only. */
function missing(engine: Engine, height: number): Slot | null {
  const slot = engine.slots.get(height);
  return slot !== undefined && slot.hash !== null && slot.block === null ? slot : null;
}

/** Another set decides from here on. */
function countLeaving(
  { reign }: Engine,
  { set: { validators } }: Engine['reign'],
  view: number,
  seat: number | null,
  coverage: Coverage,
): void {
  const leaves = (index: number) =>
    !reign.set.validators.some(({ peerId }) => peerId === validators[index]?.peerId);
  if (leaves(view % validators.length)) coverage.hit(SEEN.primaryLeft);
  if (seat !== null && leaves(seat)) coverage.hit(SEEN.selfLeft);
}

/** It has left its view: in good order, because others complained, or past primaries that are dead. */
function countNext(engine: Engine, view: number, lastHeight: number, input: Input, coverage: Coverage): void {
  const kind = input.type === 'message' ? input.message.content.kind : null;
  if (engine.head.header.height >= lastHeight) coverage.hit(SEEN.rotated);
  else if (kind === 'complaint') coverage.hit(SEEN.joined);
  // Those who follow others jump as well.
  if (engine.view > view + 1 && kind !== 'viewChange' && kind !== 'newView') coverage.hit(SEEN.skipped);
}
