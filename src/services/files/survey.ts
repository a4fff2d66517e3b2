import type { PhaseId } from '../../core/base/ids.ts';
import type { PeerId } from '../../ports/transport.ts';
import { FILES_WIRE_LIMITS } from '../../wire/files.ts';
import type { Possession } from './file-status.ts';
import type { FileLedger } from './ledger.ts';
import type { Sources } from './sources.ts';

const { filesPerRequest } = FILES_WIRE_LIMITS;

/** What each connected node of the phase says that it has of these files. One that does not answer is asked no further. */
export async function survey(
  sources: Sources,
  ledger: FileLedger,
  phase: PhaseId,
  cids: readonly string[],
): Promise<ReadonlyMap<string, readonly Possession[]>> {
  const found = new Map<string, Possession[]>(cids.map(cid => [cid, []]));
  const peers = new Set(cids.slice(0, 1).flatMap(cid => sources.candidates({ phase, root: cid })));
  const ask = async (peer: PeerId) => {
    const member = ledger.memberOfPeer(peer);
    let silent = false;
    for (let start = 0; start < cids.length; start += filesPerRequest) {
      const batch = cids.slice(start, start + filesPerRequest);
      const answer: Awaited<ReturnType<Sources['extents']>> = silent
        ? 'silent'
        : await sources.extents(peer, phase, batch);
      silent = answer === 'silent';
      for (const [index, cid] of batch.entries()) {
        found.get(cid)!.push({ peer, member, extent: typeof answer === 'string' ? null : answer[index]! });
      }
    }
  };
  await Promise.all([...peers].map(ask));
  return found;
}
