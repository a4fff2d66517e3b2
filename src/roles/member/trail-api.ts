import { reject } from '../../core/base/reject.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import type { TrailApi } from '../../rpc/trail-api.ts';
import { trailEvent } from '../../services/audit/trail.ts';
import type { MemberNode } from './member-node.ts';

const { sha256 } = nodeSuite;

export function createTrailApi({ light }: Pick<MemberNode, 'light'>): TrailApi {
  return {
    trail: async ({ scope, id }, from, limit) => {
      const logId = logIdOf(sha256, light.chainId, scope, id);
      const held = light.held(logId);
      if (held === null) return reject('not_readable', `nothing of this ${scope} is held here`, 'ignore');
      const start = Math.max(from, held.from);
      const end = Math.min(start + limit, held.to);
      const items = await light.items(logId, start, end);
      return { events: items.map(item => trailEvent(sha256, item)), next: end, size: held.to };
    },
  };
}
