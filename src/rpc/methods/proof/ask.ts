import { z } from 'zod';
import type { Hash, MemberId } from '../../../core/base/ids.ts';
import { isReject } from '../../../core/base/reject.ts';
import type { MemberReadApi, ProjectReadApi, ProofApi } from '../../api.ts';
import type { ErrorName } from '../../errors.ts';
import { failure } from '../../errors.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { invalidParams } from '../../params.ts';
import type { ProofQuestion } from '../../proof-api.ts';
import {
  bytesSchema,
  count,
  hashSchema,
  phaseNameSchema,
  recordKeySchema,
  textSchema,
} from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';
import { presentProof, proofSchema } from './present.ts';
import { showingOf, showingParams } from './showing.ts';

export type ProofMethodApi = ProofApi & ProjectReadApi & MemberReadApi;

/** What a JSON answer carries; larger evidence is a dossier, which is streamed. */
const PROOF_BYTES_MAX = 16 * 1024 * 1024;
const ERRORS: readonly ErrorName[] = [
  'not_found',
  'ambiguous_name',
  'forbidden',
  'conflict',
  'unavailable',
  'limit_exceeded',
  'verification_failed',
];

/** A method that answers one kind of question with a proof file. */
function proofMethod<Params extends z.ZodObject>(
  api: ProofMethodApi,
  name: `proof_${string}`,
  summary: string,
  params: Params,
  question: (given: z.output<Params>) => Promise<ProofQuestion> | ProofQuestion,
): RpcMethod {
  return defineMethod({
    name,
    summary,
    access: 'session',
    params,
    result: proofSchema,
    errors: [...ERRORS],
    handle: async given => {
      const answer = await api.prove(await question(given as z.output<Params>));
      if (isReject(answer)) return answer;
      if (answer.bytes.length <= PROOF_BYTES_MAX) return presentProof(answer);
      const detail = `the proof has ${answer.bytes.length} bytes, at most ${PROOF_BYTES_MAX}`;
      throw failure('limit_exceeded', 'too_large', detail, 'Ask for less, or export a dossier.');
    },
  });
}

const phase = phaseNameSchema;
const height = count.meta({ description: 'at most that of the head' });

export const proofRecord = (api: ProofMethodApi): RpcMethod =>
  proofMethod(
    api,
    'proof_record',
    'Proves that a record is in a phase, by whom and when; shows its content, or fields of it, where asked.',
    z.strictObject({ phase, record: recordKeySchema, ...showingParams }),
    async given => ({
      type: 'record',
      phase: (await findPhase(api, given.phase)).state.id,
      key: given.record,
      show: showingOf(api, given),
    }),
  );

export const proofRange = (api: ProofMethodApi): RpcMethod =>
  proofMethod(
    api,
    'proof_range',
    'Everything that a phase has in a range of positions, heights or times, proven complete.',
    z.strictObject({
      phase,
      unit: z.enum(['position', 'height', 'time']).default('position'),
      from: count.default(0).meta({ description: 'times in milliseconds since 1970' }),
      to: count
        .nullable()
        .default(null)
        .meta({ description: 'the first that is not asked for; null for the end' }),
      ...showingParams,
    }),
    async given => {
      const { unit, from, to } = given;
      if (to !== null && to < from) throw invalidParams([{ parameter: 'to', fault: 'it is before `from`' }]);
      const { id } = (await findPhase(api, given.phase)).state;
      return { type: 'range', phase: id, unit, from, to, show: showingOf(api, given) };
    },
  );

export const proofAbsence = (api: ProofMethodApi): RpcMethod =>
  proofMethod(
    api,
    'proof_absence',
    'Proves that a phase has no record of an id, or that the chain has no such phase or project.',
    z.strictObject({
      id: hashSchema,
      what: z.enum(['record', 'phase', 'project']).default('record'),
      phase: phase
        .nullable()
        .default(null)
        .meta({ description: 'where the record is not; for records only' }),
    }),
    async given => {
      const id = given.id as Hash;
      if (given.what !== 'record') return { type: 'noLog', ref: { scope: given.what, id } };
      if (given.phase === null) {
        throw invalidParams([{ parameter: 'phase', fault: 'name the phase that has no such record' }]);
      }
      return { type: 'noRecord', phase: (await findPhase(api, given.phase)).state.id, id };
    },
  );

export const proofConsistency = (api: ProofMethodApi): RpcMethod =>
  proofMethod(
    api,
    'proof_consistency',
    'Proves that the head of now goes on from that of an earlier proof or dossier, and its logs from theirs.',
    z.strictObject({ earlier: bytesSchema(PROOF_BYTES_MAX, 1) }),
    ({ earlier: bytes }) => {
      const earlier = api.readProof(bytes);
      if (!isReject(earlier)) return { type: 'consistency', earlier };
      throw invalidParams([{ parameter: 'earlier', fault: earlier.detail }]);
    },
  );

export const proofParticipants = (api: ProofMethodApi): RpcMethod =>
  proofMethod(
    api,
    'proof_participants',
    'Proves who was in a phase, with which roles, at a height.',
    z.strictObject({ phase, height }),
    async given => {
      const { id } = (await findPhase(api, given.phase)).state;
      return { type: 'participants', phase: id, height: given.height };
    },
  );

export const proofEpoch = (api: ProofMethodApi): RpcMethod =>
  proofMethod(
    api,
    'proof_epoch',
    'Proves which key epoch was current in a phase at a height.',
    z.strictObject({ phase, height }),
    async given => {
      const { id } = (await findPhase(api, given.phase)).state;
      return { type: 'epoch', phase: id, height: given.height };
    },
  );

export const proofMemberKey = (api: ProofMethodApi): RpcMethod =>
  proofMethod(
    api,
    'proof_memberKey',
    'Proves which keys a member signed with at a height.',
    z.strictObject({ member: textSchema(32), height }),
    given => {
      const member = given.member as MemberId;
      if (api.member(member) !== null) return { type: 'memberKey', member, height: given.height };
      throw failure('not_found', 'unknown_member', `no member ${member}`, 'member_list shows the members.');
    },
  );
