import { OUTCOMES } from '../types/outcome.ts';
import { verifyLeafClaim } from './receipts.ts';
import { isRetained } from './retention.ts';
import { demand, firstRefusal, type Rule } from './rule.ts';
import { phaseFor } from './standing.ts';

/**
 * Orders every holder to delete a file, in whatever state the phase is, but not before its retention is over. The references are leaves of the phase's log; that
 * they name the file is for its readers to see, for the ledger keeps no record's content. It changes no state but its log.
 */
export const filePurge: Rule<'filePurge'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'filePurge', content.phase);
    if (typeof phase === 'number') return phase;
    const logId = context.scopes[0]!;
    return firstRefusal(
      () => demand(content.references.length > 0 && content.cid !== '', OUTCOMES.malformed),
      () => demand(!isRetained(phase, context.timeMs), OUTCOMES.retained),
      () =>
        demand(
          content.references.every(({ position, leaf, record }) =>
            verifyLeafClaim(context, logId, { position, leaf, id: record }),
          ),
          OUTCOMES.unknownRecord,
        ),
    );
  },
  apply: {},
};

/** Any participant says that a node of its carried out an order of the phase, or that it keeps the file for another phase. */
export const filePurgeAck: Rule<'filePurgeAck'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'filePurgeAck', content.phase);
    if (typeof phase === 'number') return phase;
    const logId = context.scopes[0]!;
    return firstRefusal(
      () => demand(content.acks.length > 0, OUTCOMES.malformed),
      () => demand(context.sender.peerIds.includes(content.node), OUTCOMES.unknownNode),
      () =>
        demand(
          content.acks.every(({ position, leaf, record }) =>
            verifyLeafClaim(context, logId, { position, leaf, id: record }),
          ),
          OUTCOMES.unknownRecord,
        ),
    );
  },
  apply: {},
};
