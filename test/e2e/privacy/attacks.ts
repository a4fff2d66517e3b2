import type { Client } from '../../../src/client/client.ts';
import type { BlockHash, Hash, LogId, MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { ZERO_HASH } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { decodeLeaf } from '../../../src/core/codec/transaction.ts';
import type { Leaf } from '../../../src/core/types/transaction.ts';
import { CONSENSUS_PROTOCOL } from '../../../src/services/consensus/limits.ts';
import { FILES_PROTOCOL } from '../../../src/services/files/limits.ts';
import { LIGHT_PROTOCOL } from '../../../src/services/light-server/limits.ts';
import { POOL_PROTOCOL } from '../../../src/services/pool/limits.ts';
import { SYNC_PROTOCOL } from '../../../src/services/sync/limits.ts';
import { consensusRequestCodec } from '../../../src/wire/consensus.ts';
import { filesRequestCodec } from '../../../src/wire/files.ts';
import { type LightRequest, lightFrameCodec, lightRequestCodec } from '../../../src/wire/light.ts';
import { lightAnswerCodec } from '../../../src/wire/light-answer.ts';
import { poolFetchCodec } from '../../../src/wire/pool.ts';
import { syncRequestCodec } from '../../../src/wire/sync.ts';
import type { Hostile, Target } from './hostile.ts';
import type { Material } from './material.ts';

/** What the adversary knows already: every name but those it may not see. */
export interface Aims {
  readonly phases: readonly PhaseId[];
  /** Logs of the project and its phases. */
  readonly logs: readonly LogId[];
  readonly records: readonly Hash[];
  readonly cids: readonly string[];
  readonly members: readonly MemberId[];
  readonly height: number;
}

export type LogItems = readonly { readonly leaf: Leaf; readonly transaction: Uint8Array }[];

function queriesOf({ logs, members, records, height }: Aims, from: number): LightRequest[] {
  const held = from > 0 ? [{ from: 0, to: from }] : [];
  const log = (logId: LogId, ended: boolean) => ({ logId, held, digest: null, ended });
  const requests: LightRequest[] = [
    { kind: 'head', knownHeight: 0, knownHash: null },
    ...[false, true].map(ended => ({
      ...{ kind: 'logs' as const, knownHeight: 0, scopesFrom: 0 },
      logs: logs.map(logId => log(logId, ended)),
    })),
    {
      ...{ kind: 'logs', knownHeight: 0, scopesFrom: 0, logs: [] },
      quiet: { height, held: new Uint8Array(64).fill(255), ended: new Uint8Array(64) },
    },
    { kind: 'addresses', members },
    { kind: 'status', ids: records },
    { kind: 'fresh', nonce: new Uint8Array(32) },
  ];
  return requests;
}

/** Everything that a member's node can ask a consensus node, about logs that are not its own. @param from first position */
export async function attackLog(
  hostile: Hostile,
  target: Target,
  member: MemberId | null,
  aims: Aims,
  from = 0,
): Promise<void> {
  if (!(await hostile.connect(target))) return;
  for (const name of member === null ? aims.members : [member, ...aims.members]) {
    // who claims to be another is cut off: the first must be the true one
    const hello = lightFrameCodec.encode({ kind: 'hello', member: name, addresses: [] });
    hostile.say(target.peerId, LIGHT_PROTOCOL.id, hello);
    for (const request of queriesOf(aims, from)) {
      await hostile.ask(target.peerId, LIGHT_PROTOCOL.id, lightRequestCodec.encode(request));
    }
  }
}

/** What only validators may ask. */
export async function attackValidators(hostile: Hostile, target: Target, aims: Aims): Promise<void> {
  if (!(await hostile.connect(target))) return;
  const ask = (protocol: string, frame: Uint8Array) => hostile.ask(target.peerId, protocol, frame);
  await ask(SYNC_PROTOCOL, syncRequestCodec.encode({ kind: 'offer', knownHeight: 0 }));
  for (let height = 1; height <= aims.height; height += 100) {
    const query = { kind: 'blocks' as const, fromHeight: height, blocksMax: 128, bytesMax: 4 << 20 };
    await ask(SYNC_PROTOCOL, syncRequestCodec.encode(query));
  }
  await ask(POOL_PROTOCOL, poolFetchCodec.encode(aims.records.map(id => ({ id, wrapperHash: null }))));
  const block = { type: 'block' as const, blockHash: ZERO_HASH as BlockHash, height: aims.height };
  await ask(CONSENSUS_PROTOCOL, consensusRequestCodec.encode(block));
  const view = { type: 'newView' as const, validatorSetId: 0, view: 1 };
  await ask(CONSENSUS_PROTOCOL, consensusRequestCodec.encode(view));
}

/** Every question about files that a member's node answers to participants. */
export async function attackFiles(hostile: Hostile, target: Target, aims: Aims): Promise<void> {
  if (!(await hostile.connect(target))) return;
  for (const phase of aims.phases) {
    const ask = (request: Parameters<typeof filesRequestCodec.encode>[0]) =>
      hostile.ask(target.peerId, FILES_PROTOCOL, filesRequestCodec.encode(request));
    await ask({ phase, kind: 'have', roots: aims.cids });
    await ask({ phase, kind: 'small', roots: aims.cids });
    for (const root of aims.cids) {
      await ask({ phase, kind: 'get', root, cids: [root] });
      await ask({ phase, kind: 'prove', root, cids: [root], nonce: new Uint8Array(32) });
      await ask({
        phase,
        kind: 'offer',
        files: [{ cid: root, ciphertextBytes: 1, keyCommitment: ZERO_HASH }],
      });
    }
  }
}

/** A whole log, as one who may read it gets it from a consensus node. */
export async function fetchLog(hostile: Hostile, target: Target, logId: LogId): Promise<LogItems> {
  const log = { logId, held: [], digest: null, ended: false };
  const request = lightRequestCodec.encode({ kind: 'logs', knownHeight: 0, scopesFrom: 0, logs: [log] });
  const bytes = await hostile.ask(target.peerId, LIGHT_PROTOCOL.id, request);
  const answer = bytes === null ? null : lightAnswerCodec.decode(bytes);
  if (answer === null || isReject(answer) || answer.kind !== 'logs') throw new Error('no log was served');
  const [part] = answer.logs;
  if (part?.kind !== 'part') throw new Error(`the log was not served: ${part?.kind}`);
  return part.part.items.map(({ leaf, transaction }) => {
    const decoded = decodeLeaf(leaf);
    if (isReject(decoded)) throw new Error(decoded.detail);
    return { leaf: decoded, transaction };
  });
}

const CHANGING =
  /submit|propose|create|add|remove|role|rotate|open|close|rename|archive|handover|put|host|register|revoke|vote|withdraw|upload|purge$|pin|repair|import|collect|garbage|cancel|new|prepare|erase|probe|challenge|suspend|resume/i;

/** Calls every method of a node's RPC with all that is known of the phase; keeps each answer, and each error's words. */
export async function askEverything(
  client: Client,
  aims: Aims,
  material: Material,
  changing = false,
): Promise<void> {
  const { methods } = await client.call<{ methods: { name: string }[] }>('rpc.discover');
  const [phase] = aims.phases;
  const given: object[] = [
    {},
    { phase },
    { project: null },
    { withData: true, phase, from: 0, limit: 500 },
    { height: aims.height },
    ...aims.records.flatMap(record => [{ phase, record }, { id: record }, { transaction: record }]),
    ...aims.cids.map(cid => ({ phase, cid })),
  ];
  const names = methods.map(({ name }) => name).filter(name => changing || !CHANGING.test(name));
  for (const name of names) {
    for (const params of given) {
      try {
        material.addAnswer(await client.call(name, params));
      } catch (error) {
        material.add(String(error));
      }
    }
  }
}

/** Files over HTTP. */
export async function downloadEverything(client: Client, aims: Aims, material: Material): Promise<void> {
  for (const phase of aims.phases) {
    for (const cid of aims.cids) {
      try {
        for await (const chunk of (await client.download({ phase, cid })).stream) material.add(chunk);
      } catch (error) {
        material.add(String(error));
      }
    }
  }
}
