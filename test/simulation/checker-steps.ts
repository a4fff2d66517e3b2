import type { Effect } from '../../src/core/pbft/effect.ts';
import type { Engine } from '../../src/core/pbft/engine.ts';
import type { Input } from '../../src/core/pbft/input.ts';
import type { MessageContent, SignedMessage } from '../../src/core/pbft/messages.ts';
import { HasteRules, type Waiting } from './checker-haste.ts';
import { TimerRules } from './checker-timers.ts';

/** Who asks for which view, and why: what others send is looked at where a node believes it. */
const OF_VIEWS: readonly string[] = ['viewChange', 'newView', 'complaint'];

/** What an honest engine is given and what it asks for, one step after the other. */
export class StepRules {
  private readonly haste: HasteRules;
  private readonly timers: TimerRules;

  /**
   * @param mustBeGood fails for a message that no honest node may rest on
   * @param isOver more than f collude, and have made a fork
   */
  constructor(
    private readonly mustBeGood: (name: string, signed: SignedMessage) => void,
    contentOf: (signed: SignedMessage) => MessageContent | null,
    private readonly isOver: () => boolean,
    fail: (what: string) => never,
  ) {
    this.haste = new HasteRules(contentOf, fail);
    this.timers = new TimerRules(fail);
  }

  given(node: Waiting, engine: Engine, input: Input): void {
    if (this.isOver()) return;
    if (input.type === 'start') this.timers.begins(node.name, engine);
    if (input.type === 'message' && OF_VIEWS.includes(input.message.signed.kind))
      this.mustBeGood(node.name, input.message.signed);
    this.haste.given(node, engine, input);
  }

  asks(node: Waiting, engine: Engine, effect: Effect): void {
    if (this.isOver()) return;
    this.haste.asks(node, engine, effect);
    if (effect.type === 'setTimer' && effect.name === 'view')
      this.timers.waits(node.name, engine, effect.delayMs);
  }

  rests(node: Waiting, engine: Engine): void {
    this.haste.rests(node, engine);
    this.timers.rests(node.name, engine);
  }
}
