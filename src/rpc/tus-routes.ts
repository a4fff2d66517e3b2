import { MemoryLocker, Server } from '@tus/server';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PhaseId } from '../core/base/ids.ts';
import type { RpcFailure } from './errors.ts';
import { TusStore } from './tus-store.ts';
import type { Upload, Uploads } from './uploads.ts';

export const UPLOADS_PATH = '/uploads';

export interface TusOptions {
  readonly uploads: Uploads;
  /** @throws RpcFailure for a name that stands for no phase here */
  readonly phaseOf: (name: string) => Promise<PhaseId>;
  readonly uploadBytesMax: number;
  readonly failureOf: (error: unknown) => RpcFailure;
}

/** What a finished upload came to, where the protocol leaves room: the answer to the last bytes has no body. */
function outcomeHeaders({ receipt, staged }: Upload): Record<string, string> {
  const record = receipt === null ? {} : { 'Phaseline-Record': receipt.id };
  return staged === null ? record : { ...record, 'Phaseline-Cid': staged.cid };
}

function isOwnError(error: unknown): boolean {
  return typeof (error as { status_code?: unknown }).status_code === 'number';
}

/**
 * Resumable uploads by the tus protocol 1.0 (https://tus.io/protocols/resumable-upload): creation, with data, with a length that
 * comes later, and termination. `Upload-Metadata` has `phase` and `filename`, and may have more (`tus-store.ts`).
 */
export function registerTusRoutes(app: FastifyInstance, options: TusOptions): void {
  const { uploads, phaseOf, uploadBytesMax, failureOf } = options;
  const server = new Server({
    path: UPLOADS_PATH,
    datastore: new TusStore(uploads, phaseOf),
    locker: new MemoryLocker(),
    relativeLocation: true,
    maxSize: uploadBytesMax,
    // Whom the guard lets in it lets in; no other page is told that it may read the answers.
    allowedOrigins: () => false,
    onUploadFinish: async (_request, { id }) => ({ headers: outcomeHeaders(await uploads.settled(id)) }),
    onResponseError: (_request, error) => {
      if (isOwnError(error)) return undefined;
      const refusal = failureOf(error);
      const body = JSON.stringify({ jsonrpc: '2.0', id: null, error: refusal.toObject() });
      return { status_code: refusal.http, body };
    },
  });
  const handle = async (request: FastifyRequest, reply: FastifyReply) => {
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? '');
    await server.handle(request.raw, reply.raw);
  };
  const streamed = { bodyLimit: uploadBytesMax, config: { isUpload: true } };
  const routes = [
    ['OPTIONS', UPLOADS_PATH],
    ['POST', UPLOADS_PATH],
    ['HEAD', `${UPLOADS_PATH}/:upload`],
    ['PATCH', `${UPLOADS_PATH}/:upload`],
    ['DELETE', `${UPLOADS_PATH}/:upload`],
  ] as const;
  for (const [method, url] of routes) app.route({ method, url, ...streamed, handler: handle });
}
