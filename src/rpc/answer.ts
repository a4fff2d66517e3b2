import type { FastifyReply } from 'fastify';
import type { RpcFailure } from './errors.ts';

/** A failure as the whole answer of a plain HTTP request, in the shape of a JSON-RPC error without id. */
export function answerFailure(reply: FastifyReply, refusal: RpcFailure, status = refusal.http): FastifyReply {
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify({ jsonrpc: '2.0', id: null, error: refusal.toObject() }));
}
