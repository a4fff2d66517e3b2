import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../ports/clock.ts';
import type { RpcLimits } from './limits.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its body may take long; only silence ends it. */
    isUpload?: boolean;
  }
}

/** Cuts off a client whose body, when it is no upload, has not come whole in `requestMs`. */
export function boundBody(
  request: FastifyRequest,
  reply: FastifyReply,
  clock: Clock,
  limits: RpcLimits,
): void {
  const { headers, raw } = request;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (!hasBody || request.routeOptions.config.isUpload === true) return;
  const timer = clock.setTimer(limits.requestMs, () => {
    if (!raw.complete) raw.destroy();
  });
  reply.raw.once('close', () => timer.cancel());
}
