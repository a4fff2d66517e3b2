import { z } from 'zod';
import type { PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import {
  HANDOVER_TARGETS_MAX,
  handedParams,
  handoverSchema,
  presentHandover,
} from '../../rpc/methods/phase/present-handover.ts';
import { phaseNameSchema } from '../../rpc/schemas.ts';
import { handoverResult } from '../../services/records/handover-targets.ts';
import type { ManagerApi } from '../api.ts';
import { findPhase } from '../find.ts';

export const phaseHandover = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_phaseHandover',
    summary:
      'Hands records of a phase over to phases that follow it; this server must hold the keys of the source.',
    access: 'member',
    params: z.strictObject({
      source: phaseNameSchema,
      targets: z.array(phaseNameSchema).min(1).max(HANDOVER_TARGETS_MAX),
      ...handedParams,
    }),
    result: handoverSchema,
    errors: ['forbidden', 'not_found', 'ambiguous_name', 'refused', 'unavailable', 'expired'],
    handle: async ({ source, targets, records, files }, { caller }) => {
      const { id } = (await findPhase(data, caller, source)).phase;
      const to = new Set<PhaseId>();
      for (const target of targets) to.add((await findPhase(data, caller, target)).phase.id);
      const phases = [...to].map(phase => ({ phase, epoch: null }));
      const done = await operations.handOverToAll({ source: id, targets: phases, records, files });
      return isReject(done) ? done : presentHandover(done.map(handoverResult));
    },
  });
