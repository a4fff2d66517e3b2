import { assertNever } from '../../core/base/assert.ts';
import type { Effect } from '../../core/pbft/effect.ts';
import { OperatingError } from '../../ports/lifecycle.ts';

export type EffectOf<Type extends Effect['type']> = Extract<Effect, { type: Type }>;

/** One method for each kind of effect; neighbours that one part performs share a method. */
export interface EffectHandlers {
  log(effect: EffectOf<'persist' | 'trim'>): void;
  send(effect: EffectOf<'send'>): void;
  timer(effect: EffectOf<'setTimer' | 'cancelTimer'>): void;
  build(effect: EffectOf<'build'>): void;
  execute(effect: EffectOf<'execute'>): void;
  commit(effect: EffectOf<'commit'>): void;
  discard(effect: EffectOf<'discard'>): void;
  returnToPool(effect: EffectOf<'returnToPool'>): void;
  sync(effect: EffectOf<'sync'>): void;
  fetchBlock(effect: EffectOf<'fetchBlock'>): void;
  fetchNewView(effect: EffectOf<'fetchNewView'>): void;
  archive(effect: EffectOf<'archive'>): void;
  evidence(effect: EffectOf<'evidence'>): void;
  halt(effect: EffectOf<'halt'>): void;
}

export function performEffect(effect: Effect, handlers: EffectHandlers): void {
  switch (effect.type) {
    case 'persist':
    case 'trim':
      handlers.log(effect);
      break;
    case 'send':
      handlers.send(effect);
      break;
    case 'setTimer':
    case 'cancelTimer':
      handlers.timer(effect);
      break;
    case 'build':
      handlers.build(effect);
      break;
    case 'execute':
      handlers.execute(effect);
      break;
    case 'commit':
      handlers.commit(effect);
      break;
    case 'discard':
      handlers.discard(effect);
      break;
    case 'returnToPool':
      handlers.returnToPool(effect);
      break;
    case 'sync':
      handlers.sync(effect);
      break;
    case 'fetchBlock':
      handlers.fetchBlock(effect);
      break;
    case 'fetchNewView':
      handlers.fetchNewView(effect);
      break;
    case 'archive':
      handlers.archive(effect);
      break;
    case 'evidence':
      handlers.evidence(effect);
      break;
    case 'halt':
      handlers.halt(effect);
      break;
    default:
      assertNever(effect);
  }
}

/** The engine refuses to go on: what the operator is told. */
export function haltError(height: number, reason: string): OperatingError {
  return new OperatingError(
    'consensus_halted',
    `consensus stopped at height ${height}: ${reason}`,
    'Run "phaseline db verify" on this data directory and compare the versions of the nodes.',
  );
}
