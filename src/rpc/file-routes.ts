import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { isReject } from '../core/base/reject.ts';
import { answerFailure } from './answer.ts';
import type { ParticipantApi } from './api.ts';
import { failure, failureOfReject, type RpcFailure } from './errors.ts';
import { attachmentHeader } from './file-names.ts';
import type { RpcLimits } from './limits.ts';
import { findPhase } from './methods/phase/find.ts';
import { presentRecordReceipt, recordTextSchemas } from './methods/record/present.ts';
import { parseParams } from './params.ts';
import { SHOW_NOTHING } from './proof-api.ts';
import { cidSchema, phaseNameSchema } from './schemas.ts';
import { limitBytes } from './streams.ts';
import { registerTusRoutes } from './tus-routes.ts';

export type FileRoutesApi = Pick<
  ParticipantApi,
  'phases' | 'phase' | 'putRecord' | 'readFile' | 'dossier' | 'uploads' | 'fileCare'
>;

interface RouteOptions {
  readonly limits: RpcLimits;
  readonly stopping: AbortSignal;
  readonly failureOf: (error: unknown) => RpcFailure;
}

const uploadSchema = z.strictObject({
  phase: phaseNameSchema,
  name: recordTextSchemas.fileName,
  mediaType: recordTextSchemas.mediaType.default('application/octet-stream'),
  type: recordTextSchemas.type.default('file'),
  title: recordTextSchemas.title.default(''),
});
const downloadSchema = z.strictObject({ phase: phaseNameSchema, cid: cidSchema });
const dossierSchema = z.strictObject({
  phase: phaseNameSchema,
  payloads: z.enum(['true', 'false']).default('true'),
});

/**
 * What is too large for JSON, streamed and never held whole; all with the session token:
 * - `PUT /phases/:phase/files?name=…` the body is the file; answers what `file_put` answers
 * - `/uploads` the same by the tus protocol, which goes on after an interruption
 * - `GET /phases/:phase/files/:cid` the file, with `Range: bytes=first-last`
 * - `GET`, `PUT /phases/:phase/files/:cid/car` the file's blocks, encrypted as they are, in a CAR
 * - `GET /phases/:phase/dossier` a dossier of the phase
 */
export async function registerFileRoutes(
  app: FastifyInstance,
  api: FileRoutesApi,
  options: RouteOptions,
): Promise<void> {
  await app.register(async scope => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.addHook('onRequest', async request => {
      if (request.caller.kind === 'session') return;
      throw failure('unauthorized', 'session_needed', 'files are transferred with the session token');
    });
    const streamed = { bodyLimit: options.limits.uploadBytesMax, config: { isUpload: true } };
    scope.put('/phases/:phase/files', streamed, (request, reply) => upload(api, request, reply, options));
    registerTusRoutes(scope, {
      uploads: api.uploads,
      phaseOf: async name => (await findPhase(api, name)).state.id,
      uploadBytesMax: options.limits.uploadBytesMax,
      failureOf: options.failureOf,
    });
    scope.get('/phases/:phase/files/:cid', (request, reply) => download(api, request, reply, options));
    scope.get('/phases/:phase/files/:cid/car', (request, reply) => exportCar(api, request, reply));
    scope.put('/phases/:phase/files/:cid/car', streamed, (request, reply) =>
      importCar(api, request, reply, options),
    );
    scope.get('/phases/:phase/dossier', (request, reply) => downloadDossier(api, request, reply));
  });
}

function paramsOf(request: FastifyRequest): object {
  return { ...(request.params as object), ...(request.query as object) };
}

function signalOf(reply: FastifyReply, options: RouteOptions): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return AbortSignal.any([gone.signal, options.stopping]);
}

async function upload(
  api: FileRoutesApi,
  request: FastifyRequest,
  reply: FastifyReply,
  options: RouteOptions,
) {
  const { phase, name, mediaType, type, title } = parseParams(uploadSchema, paramsOf(request));
  const found = await findPhase(api, phase);
  const length = request.headers['content-length'];
  const receipt = await api.putRecord(
    {
      phase: found.state.id,
      type,
      title,
      mediaType: 'text/plain',
      data: new Uint8Array(),
      files: [
        {
          name,
          mediaType,
          source: limitBytes((request.body ?? Readable.from([])) as Readable, options.limits.uploadBytesMax),
          bytes: length === undefined ? null : Number(length),
        },
      ],
      references: [],
    },
    signalOf(reply, options),
  );
  if (isReject(receipt)) throw failureOfReject(receipt);
  return reply.send(presentRecordReceipt(receipt));
}

async function download(
  api: FileRoutesApi,
  request: FastifyRequest,
  reply: FastifyReply,
  options: RouteOptions,
) {
  const { phase, cid } = parseParams(downloadSchema, paramsOf(request));
  const found = await findPhase(api, phase);
  const asked = rangeOf(request.headers.range);
  const opened = await api.readFile(found.state.id, cid, asked, signalOf(reply, options));
  if (isReject(opened)) throw failureOfReject(opened);
  const { file, stream } = opened;
  let length = file.bytes;
  if (asked !== null) {
    length = Math.min(asked.bytes, file.bytes - asked.offset);
    if (length <= 0) return unsatisfiable(reply, file.bytes);
    reply
      .code(206)
      .header('content-range', `bytes ${asked.offset}-${asked.offset + length - 1}/${file.bytes}`);
  }
  // Whatever the file calls itself, a browser saves it and runs nothing of it (SCENARIOS 88).
  return reply
    .headers({
      'content-type': 'application/octet-stream',
      'content-disposition': attachmentHeader(file.name),
      'content-length': length,
      'accept-ranges': 'bytes',
      etag: `"${cid}"`,
      'repr-digest': `sha-256=:${Buffer.from(file.sha256, 'hex').toString('base64')}:`,
    })
    .send(Readable.from(stream, { objectMode: false }));
}

function unsatisfiable(reply: FastifyReply, bytes: number): FastifyReply {
  reply.header('content-range', `bytes */${bytes}`);
  const hint = `The file has ${bytes} bytes.`;
  return answerFailure(
    reply,
    failure('invalid_request', 'range_not_satisfiable', 'the range begins behind the end of the file', hint),
    416,
  );
}

async function exportCar(api: FileRoutesApi, request: FastifyRequest, reply: FastifyReply) {
  const { phase, cid } = parseParams(downloadSchema, paramsOf(request));
  const car = await api.fileCare.exportCar((await findPhase(api, phase)).state.id, cid);
  if (isReject(car)) throw failureOfReject(car);
  return reply
    .headers({
      'content-type': 'application/vnd.ipld.car',
      'content-disposition': attachmentHeader(`${cid}.car`),
    })
    .send(Readable.from(car, { objectMode: false }));
}

async function importCar(
  api: FileRoutesApi,
  request: FastifyRequest,
  reply: FastifyReply,
  options: RouteOptions,
) {
  const { phase, cid } = parseParams(downloadSchema, paramsOf(request));
  const { id } = (await findPhase(api, phase)).state;
  const body = (request.body ?? Readable.from([])) as Readable;
  const source = limitBytes(body, options.limits.uploadBytesMax);
  const done = await api.fileCare.importCar(id, cid, source, signalOf(reply, options));
  if (isReject(done)) throw failureOfReject(done);
  return reply.send({ ...done });
}

async function downloadDossier(api: FileRoutesApi, request: FastifyRequest, reply: FastifyReply) {
  const { phase, payloads } = parseParams(dossierSchema, paramsOf(request));
  const found = await findPhase(api, phase);
  const show = { ...SHOW_NOTHING, payloads: payloads === 'true' };
  const dossier = await api.dossier(found.state.id, show);
  if (isReject(dossier)) throw failureOfReject(dossier);
  if (dossier.bytes !== null) reply.header('content-length', dossier.bytes);
  return reply
    .headers({
      'content-type': 'application/octet-stream',
      'content-disposition': attachmentHeader(`${found.label ?? found.state.id.slice(0, 12)}.dossier`),
    })
    .send(Readable.from(dossier.stream, { objectMode: false }));
}

/** One range with a first byte (RFC 9110 section 14.2); other forms are ignored, as the RFC allows, and answer all. */
function rangeOf(header: string | undefined): { offset: number; bytes: number } | null {
  const match = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(header ?? '');
  if (match === null) return null;
  const offset = Number(match[1]);
  if (match[2] === '') return { offset, bytes: Number.MAX_SAFE_INTEGER - offset };
  const last = Number(match[2]);
  return last < offset ? null : { offset, bytes: last - offset + 1 };
}
