import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { PurgeStatus, StorageUse } from '../../../services/files/api.ts';
import type { FileApi, ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import {
  cidSchema,
  count,
  hashText,
  peerIdSchema,
  phaseNameSchema,
  time,
  timeSchema,
} from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';

type Api = FileApi & ProjectReadApi;

const fileParams = z.strictObject({ phase: phaseNameSchema, cid: cidSchema });
const fileErrors = ['not_found', 'ambiguous_name', 'forbidden', 'purged', 'unavailable'] as const;

export const filePin = (api: Api): RpcMethod =>
  defineMethod({
    name: 'file_pin',
    summary: 'Keeps a copy of a file here whatever the placement says, and fetches it if it is not here.',
    access: 'session',
    params: fileParams,
    result: z.object({ pinned: z.boolean() }),
    errors: fileErrors,
    handle: async ({ phase, cid }) =>
      (await api.fileCare.pin((await findPhase(api, phase)).state.id, cid)) ?? { pinned: true },
  });

export const fileUnpin = (api: Api): RpcMethod =>
  defineMethod({
    name: 'file_unpin',
    summary: 'Ends a pin: the copy stays as long as the placement or a record asks for it.',
    access: 'session',
    params: fileParams,
    result: z.object({ pinned: z.boolean() }),
    errors: ['not_found', 'ambiguous_name'],
    handle: async ({ phase, cid }) => {
      await findPhase(api, phase);
      await api.fileCare.unpin(cid);
      return { pinned: false };
    },
  });

const useSchema = z.object({ bytes: count, bytesMax: count.nullable(), files: count });
const usageSchema = z.object({
  node: useSchema,
  phases: z.array(useSchema.extend({ phase: hashText })),
  freeBytes: count
    .nullable()
    .meta({ description: 'of the disk below the store; null where it has no such limit' }),
  pinned: count,
  scrub: z.object({
    running: z.boolean(),
    blocks: count,
    bytes: count,
    bad: count,
    lastRound: timeSchema.nullable(),
  }),
});
const presentUse = ({ bytes, bytesMax, files }: StorageUse) => ({ bytes, bytesMax, files });

export const fileQuota = (api: Api): RpcMethod =>
  defineMethod({
    name: 'file_quota',
    summary: "What this node's store holds, by phase, against its quotas, and how far its scrubber is.",
    access: 'session',
    params: z.strictObject({}),
    result: usageSchema,
    errors: ['unavailable'],
    handle: async () => {
      const { node, phases, freeBytes, pinned, scrub } = await api.fileCare.usage();
      const { running, blocks, bytes, bad, roundMs } = scrub;
      return {
        node: presentUse(node),
        phases: phases.map(use => ({ ...presentUse(use), phase: use.phase })),
        ...{ freeBytes, pinned },
        scrub: { running, blocks, bytes, bad, lastRound: roundMs === null ? null : time(roundMs) },
      };
    },
  });

export const fileCollectGarbage = (api: Api): RpcMethod =>
  defineMethod({
    name: 'file_collectGarbage',
    summary: 'Removes what no record names, nobody pinned and nothing is at work with.',
    access: 'session',
    params: z.strictObject({}),
    result: z.object({ files: count, bytes: count, strayBlocks: count }),
    errors: ['unavailable'],
    handle: async () => ({ ...(await api.fileCare.collectGarbage()) }),
  });

const purgeSchema = z.object({
  order: hashText,
  position: count,
  height: count,
  time: timeSchema,
  by: z.string(),
  reason: z.string(),
  references: z.array(hashText).meta({ description: 'records of the phase that lose the file' }),
  elsewhere: z.array(z.object({ logId: hashText, record: hashText })),
  holders: z.array(z.string()).meta({ description: 'members that had signed to hold the file' }),
  acknowledged: z
    .array(z.object({ member: z.string(), node: peerIdSchema, height: count, kept: z.boolean() }))
    .meta({ description: 'each by one node of the member, for itself' }),
  open: z.array(z.object({ member: z.string(), node: peerIdSchema.nullable() })).meta({
    description: 'nodes of holders that have not acknowledged yet; null of a holder whose card names none',
  }),
});

function presentPurge({ timeMs, ...purge }: PurgeStatus) {
  return {
    ...purge,
    time: time(timeMs),
    references: [...purge.references],
    elsewhere: purge.elsewhere.map(one => ({ ...one })),
    holders: [...purge.holders],
    acknowledged: purge.acknowledged.map(one => ({ ...one })),
    open: purge.open.map(one => ({ ...one })),
  };
}

export const filePurge = (api: Api): RpcMethod =>
  defineMethod({
    name: 'file_purge',
    summary:
      'Orders on chain that every holder deletes a file; there is no way back. file_references says what breaks.',
    access: 'session',
    params: fileParams.extend({
      reason: z.string().min(1).max(1_024).meta({ description: 'why, for everyone in the phase' }),
    }),
    result: purgeSchema,
    errors: [...fileErrors, 'refused', 'expired'],
    handle: async ({ phase, cid, reason }) => {
      const done = await api.fileCare.purge((await findPhase(api, phase)).state.id, cid, reason);
      return isReject(done) ? done : presentPurge(done);
    },
  });

export const filePurgeStatus = (api: Api): RpcMethod =>
  defineMethod({
    name: 'file_purgeStatus',
    summary:
      'The order to purge a file and the signed acknowledgements of its holders; null when there is no order.',
    access: 'session',
    params: fileParams,
    result: z.object({ purge: purgeSchema.nullable() }),
    errors: ['not_found', 'ambiguous_name', 'forbidden'],
    handle: async ({ phase, cid }) => {
      const found = api.fileCare.purgeStatus((await findPhase(api, phase)).state.id, cid);
      return { purge: found === null ? null : presentPurge(found) };
    },
  });

export const fileReferences = (api: Api): RpcMethod =>
  defineMethod({
    name: 'file_references',
    summary:
      'The records that name a file, in this phase and in others that this node reads: what a purge breaks.',
    access: 'session',
    params: fileParams,
    result: z.object({
      references: z.array(z.object({ phase: hashText, record: hashText, position: count })),
    }),
    errors: fileErrors,
    handle: async ({ phase, cid }) => {
      const found = await api.fileReferences((await findPhase(api, phase)).state.id, cid);
      return isReject(found) ? found : { references: found.map(one => ({ ...one })) };
    },
  });

export const fileVerifyAll = (api: Api): RpcMethod =>
  defineMethod({
    name: 'file_verifyAll',
    summary: 'Reads and hashes every block of every file here; what is damaged is fetched again by itself.',
    access: 'session',
    params: z.strictObject({}),
    result: z.object({
      files: count,
      blocks: count,
      bytes: count,
      damaged: z.array(z.object({ cid: z.string(), blocks: count })),
    }),
    errors: ['unavailable'],
    handle: async (_params, { signal }) => {
      const done = await api.fileCare.verifyAll({ signal });
      return { ...done, damaged: done.damaged.map(one => ({ ...one })) };
    },
  });
