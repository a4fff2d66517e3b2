import type { MemberId } from '../../src/core/base/ids.ts';
import type { ConsensusNode } from '../../src/roles/consensus-node.ts';
import type { Builder } from '../../src/services/consensus/builder.ts';
import type { Machine } from './machine.ts';

/** What a dawdler leaves of the view timeout for the votes, so that no timer of the others fires; half of it at most. */
const VOTES_MS = 60;

/** As primary it leaves out what one member submits, the second that it hears of: what others submit goes on (SCENARIOS 24). */
export function censor(program: ConsensusNode, leftOut: () => void): void {
  const { pool } = program;
  const take = pool.take.bind(pool);
  let first: MemberId | null = null;
  let victim: MemberId | null = null;
  pool.take = (limits, skip) => {
    const sender = pool.oldest()?.transaction.body.sender ?? null;
    first ??= sender;
    if (sender !== first) victim ??= sender;
    return take(limits, id => {
      const isLeftOut = pool.get(id)?.transaction.body.sender === victim;
      if (isLeftOut) leftOut();
      return isLeftOut || skip(id);
    });
  };
}

/** As primary it begins each block just before the others lose their patience (SCENARIOS 25). */
export function dawdle(program: ConsensusNode, machine: Machine, begun: () => void): void {
  const { builder } = program.consensus as unknown as { readonly builder: Builder };
  const request = builder.request.bind(builder);
  let last: Parameters<Builder['request']>[0] | null = null;
  builder.request = build => {
    last = build;
    const { viewTimeoutMs } = program.chain.parameters();
    machine.later(Math.max(viewTimeoutMs / 2, viewTimeoutMs - VOTES_MS), () => {
      if (last !== build) return;
      begun();
      request(build);
    });
  };
}
