import type { FastifyInstance } from 'fastify';
import type { NodeApi } from './api.ts';
import type { MetricsRegistry } from './metrics.ts';

/** Gauges that are read from the node at each exposition. */
export function collectNodeGauges(node: NodeApi, metrics: MetricsRegistry): void {
  metrics.onCollect(target => {
    const { head, notReady, peers } = node.status();
    target.gauge('phaseline_ready', notReady.length === 0 ? 1 : 0);
    target.gauge('phaseline_peers_connected', peers.filter(peer => peer.connected).length);
    if (head === null) return;
    target.gauge('phaseline_head_height', head.height);
    target.gauge('phaseline_head_time_seconds', head.timeMs / 1000);
  });
}

/** `/healthz` (the process answers), `/readyz` (503 with reasons while it is not ready) and `/metrics`. */
export function registerHealthRoutes(
  app: FastifyInstance,
  { node, metrics }: { readonly node: NodeApi; readonly metrics: MetricsRegistry },
): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const { notReady } = node.status();
    return reply
      .code(notReady.length === 0 ? 200 : 503)
      .send({ status: notReady.length === 0 ? 'ready' : 'not ready', reasons: notReady });
  });
  app.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await metrics.expose();
    return reply.type(contentType).send(text);
  });
}
