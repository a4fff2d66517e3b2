import type { Effect } from '../../src/core/pbft/effect.ts';
import type { Engine } from '../../src/core/pbft/engine.ts';
import type { Input } from '../../src/core/pbft/input.ts';
import type { MessageContent, NewView, SignedMessage, ViewChange } from '../../src/core/pbft/messages.ts';
import { faultsOf, quorumOf } from './checker-certificate.ts';
import { openingOf } from './checker-judge.ts';

/** A node and its clock. */
export interface Waiting {
  readonly name: string;
  /** True time of the simulation. */
  readonly timeMs: number;
  /** Its timers take so many times as long as they should. */
  readonly slowness: number;
}

/** What a node has heard of views in this life, under one set. */
interface Course {
  readonly set: number;
  view: number;
  /** The highest height that the NEW-VIEW of the view covers; infinite while one is awaited. */
  top: number;
  /** By signer, the highest view that it asks for. */
  readonly asked: Map<number, number>;
  /** By signer, the highest view that it complains in. */
  readonly complained: Map<number, number>;
  /** The view timer that runs. */
  timer: { readonly generation: number; readonly dueMs: number } | null;
  isOverdue: boolean;
}

/** Of sums of fractions of a millisecond. */
const ROUNDING_MS = 0.001;

const raise = (views: Map<number, number>, signer: number, view: number) =>
  views.set(signer, Math.max(view, views.get(signer) ?? 0));

/**
 * Nobody leaves its view without a reason that others, or its own clock, have given it (docs/PROTOCOL.md, supervision and view change):
 * f + 1 want the view to end, itself perhaps among them; f + 1 others ask for what it asks for; the view was to end after so many blocks; or
 * a quorum asked for the view and the wait for its NEW-VIEW is over. Only the second leads further than to the next view, or past primaries
 * that are lost, each once.
 */
export class HasteRules {
  private readonly nodes = new Map<string, Course>();

  /** @param contentOf decodes; null for what cannot be */
  constructor(
    private readonly contentOf: (signed: SignedMessage) => MessageContent | null,
    private readonly fail: (what: string) => never,
  ) {}

  private course(name: string, engine: Engine, isNew: boolean): Course {
    const { reign, view, newView, active } = engine;
    let course = this.nodes.get(name);
    if (!isNew && course?.set === reign.set.id) return course;
    course = {
      set: reign.set.id,
      view,
      top: active ? reign.startHeight : Number.POSITIVE_INFINITY,
      asked: new Map(),
      complained: new Map(),
      timer: null,
      isOverdue: false,
    };
    if (active && newView !== null) course.top = this.topOf(newView.content);
    this.nodes.set(name, course);
    return course;
  }

  private topOf({ viewChanges }: NewView): number {
    const { base, window } = openingOf(viewChanges.map(signed => this.contentOf(signed) as ViewChange));
    return base + window.length;
  }

  /** Of two NEW-VIEWs of one view the first opens it. */
  private opens(course: Course, newView: NewView): void {
    const isAwaited = newView.view === course.view && course.top === Number.POSITIVE_INFINITY;
    if (newView.view <= course.view && !isAwaited) return;
    course.view = newView.view;
    course.top = this.topOf(newView);
  }

  /** Before its engine is given what begins a step. */
  given({ name, timeMs }: Waiting, engine: Engine, input: Input): void {
    const course = this.course(name, engine, input.type === 'start');
    if (input.type === 'message') this.hears(course, engine, input.message.signed);
    if (input.type !== 'timer' || input.name !== 'view') return;
    if (input.generation !== course.timer?.generation) return;
    if (timeMs < course.timer.dueMs - ROUNDING_MS)
      this.fail(`the wait of ${name} ends ${course.timer.dueMs - timeMs} ms too early`);
    course.timer = null;
    course.isOverdue = true;
  }

  private hears(course: Course, engine: Engine, signed: SignedMessage): void {
    const { signer, validatorSetId } = signed;
    if (validatorSetId !== course.set || signer === engine.seat?.index) return;
    const content = this.contentOf(signed);
    if (content?.kind === 'viewChange') raise(course.asked, signer, content.view);
    if (content?.kind === 'complaint') raise(course.complained, signer, content.view);
    if (content?.kind === 'newView') this.opens(course, content);
  }

  /** What a step asks for; the engine is as the step has left it. */
  asks(node: Waiting, engine: Engine, effect: Effect): void {
    const course = this.course(node.name, engine, false);
    if (effect.type === 'setTimer' && effect.name === 'view') {
      const { generation, delayMs } = effect;
      course.timer = { generation, dueMs: node.timeMs + delayMs * node.slowness };
    } else if (effect.type === 'cancelTimer' && effect.name === 'view') course.timer = null;
    else if (effect.type === 'send') this.complains(course, effect.message);
    else if (effect.type === 'persist')
      for (const then of effect.then)
        if (then.type === 'send') this.begins(node.name, course, engine, then.message);
  }

  /** Its own complaint counts with those of others. */
  private complains(course: Course, signed: SignedMessage): void {
    if (signed.kind !== 'complaint' || signed.validatorSetId !== course.set) return;
    const content = this.contentOf(signed);
    if (content?.kind === 'complaint') raise(course.complained, signed.signer, content.view);
  }

  /** It makes a VIEW-CHANGE, or opens a view. */
  private begins(name: string, course: Course, engine: Engine, signed: SignedMessage): void {
    if (signed.kind !== 'viewChange' && signed.kind !== 'newView') return;
    if (signed.validatorSetId !== course.set) return;
    const content = this.contentOf(signed);
    if (content?.kind === 'newView') this.opens(course, content);
    if (content?.kind !== 'viewChange' || content.view <= course.view) return;
    const fault = this.faultOf(course, engine, content.view);
    if (fault !== null)
      this.fail(`${name} has no reason to ask for view ${content.view} in ${course.view}: ${fault}`);
    course.view = content.view;
    course.top = Number.POSITIVE_INFINITY;
  }

  private faultOf({ view, top, asked, complained, isOverdue }: Course, engine: Engine, next: number) {
    const n = engine.reign.set.validators.length;
    const asking = (from: number) => [...asked].filter(([, at]) => at >= from).map(([signer]) => signer);
    const complaining = [...complained].filter(([, at]) => at >= view).map(([signer]) => signer);
    const joined = asking(next).length;
    if (joined > faultsOf(n)) return null;
    if (next > view + n) return `${joined} others do`;
    const against = new Set([...complaining, ...asking(view + 1)]).size;
    if (against > faultsOf(n)) return null;
    const { rotationBlocks } = engine.parameters;
    if (rotationBlocks > 0 && n > 1 && engine.head.header.height >= top + rotationBlocks) return null;
    const waiting = asking(view).length;
    if (isOverdue && waiting + 1 >= quorumOf(n)) return null;
    return `${against} of ${n} want that, ${waiting} others waited with it${isOverdue ? '' : ', not for long enough'}`;
  }

  /** After the step. */
  rests({ name }: Waiting, engine: Engine): void {
    const course = this.course(name, engine, false);
    course.view = engine.view;
    course.isOverdue = false;
  }
}
