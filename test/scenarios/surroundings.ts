import type { EngineParameters } from '../../src/core/pbft/config.ts';
import type { SignedMessage } from '../../src/core/pbft/messages.ts';
import type { ScenarioNode } from './node.ts';
import type { Printer } from './print.ts';

/** What a node says and does towards the transcript and the other nodes. */
export interface Surroundings {
  readonly printer: Printer;
  readonly parameters: EngineParameters;
  readonly nowMs: number;
  /** Results only. */
  readonly brief: boolean;
  /** A line of the transcript; details are left out of `run`. */
  say(name: string, what: string, weight: 'detail' | 'result'): void;
  send(from: ScenarioNode, to: 'all' | string, message: SignedMessage): void;
  /** Later in the same command. */
  soon(task: () => void): void;
}
