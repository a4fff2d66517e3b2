import type { Socket } from 'node:net';
import type { WebSocket } from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Dispatcher } from './dispatcher.ts';
import { MessageWatch } from './message-watch.ts';
import type { RpcServer } from './server.ts';
import { Subscriptions } from './subscriptions.ts';

const CLOSE_UNSUPPORTED_DATA = 1003;
const CLOSE_TRY_AGAIN_LATER = 1013;

/**
 * One WebSocket: calls, notifications and batches as over HTTP, answers in any order, and subscriptions. A client that
 * sends faster than it is answered, or does not read its answers, is not read from meanwhile. What one without a session can
 * make the server hold is small (`RPC_LIMITS`), and no message may take for ever.
 */
export function serveWebSocket(
  socket: WebSocket,
  request: FastifyRequest,
  { server, dispatcher }: { readonly server: RpcServer; readonly dispatcher: Dispatcher },
): void {
  const { limits, open } = server;
  const { logger, metrics, clock } = server.options;
  const isAnonymous = request.caller.kind === 'anonymous';
  if (
    open.sockets >= limits.webSocketsMax ||
    (isAnonymous && server.anonymousSockets >= limits.anonymousWebSocketsMax)
  ) {
    socket.close(CLOSE_TRY_AGAIN_LATER, 'too many connections');
    return;
  }
  const countOpen = (what: 'sockets' | 'subscriptions', change: 1 | -1) => {
    open[what] += change;
    if (what === 'sockets' && isAnonymous) server.anonymousSockets += change;
    metrics.gauge('phaseline_rpc_websockets', open.sockets);
    metrics.gauge('phaseline_rpc_subscriptions', open.subscriptions);
  };
  const gone = new AbortController();
  const send = (text: string) =>
    new Promise<void>((resolve, reject) => {
      socket.send(text, error => (error ? reject(error) : resolve()));
    });
  const subscriptions = new Subscriptions({
    send,
    limit: limits.subscriptionsPerConnection,
    logger,
    onCount: change => countOpen('subscriptions', change),
  });
  const answer = async (data: Buffer) => {
    const text = await dispatcher.handle(data, {
      caller: request.caller,
      signal: gone.signal,
      connection: subscriptions,
      takeCall: () => server.takeCall(request),
    });
    if (text !== null) await send(text);
    subscriptions.startWaiting();
  };
  const bytesMax = isAnonymous ? limits.bodyBytesSmall : limits.bodyBytesMax;
  let inFlight = 0;
  let inFlightBytes = 0;
  const isFull = () => inFlight >= limits.webSocketCallsInFlightMax || inFlightBytes >= bytesMax;
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) return socket.close(CLOSE_UNSUPPORTED_DATA, 'messages are JSON text');
    inFlight += 1;
    inFlightBytes += data.length;
    if (isFull()) socket.pause();
    answer(data)
      .catch(error => logger.debug({ error }, 'a WebSocket answer was not delivered'))
      .finally(() => {
        inFlight -= 1;
        inFlightBytes -= data.length;
        if (!isFull() && socket.isPaused) socket.resume();
      });
  });
  const stopPings = keepAlive(socket, clock, limits.webSocketPingMs);
  const messageMs = isAnonymous ? limits.requestMs : limits.idleMs;
  const stopWatch = boundMessages(socket, request.raw.socket, clock, messageMs);
  countOpen('sockets', 1);
  socket.on('error', error => logger.debug({ error }, 'a WebSocket failed'));
  socket.once('close', () => {
    stopPings();
    stopWatch();
    gone.abort();
    subscriptions.closeAll();
    countOpen('sockets', -1);
  });
}

/**
 * Pings the other side; one that did not answer the last ping is cut off, with everything held for it. While the socket
 * is paused its answers are not read, so they are not missed either.
 */
function keepAlive(socket: WebSocket, clock: Clock, intervalMs: number): () => void {
  let answered = true;
  let timer: Timer;
  socket.on('pong', () => {
    answered = true;
  });
  const ping = () => {
    if (!answered && !socket.isPaused) return socket.terminate();
    answered = false;
    socket.ping();
    timer = clock.setTimer(intervalMs, ping);
  };
  timer = clock.setTimer(intervalMs, ping);
  return () => timer.cancel();
}

/** Cuts a socket off when one message has been under way for `messageMs` to twice that, pauses by the server aside. */
function boundMessages(socket: WebSocket, raw: Socket, clock: Clock, messageMs: number): () => void {
  const watch = new MessageWatch();
  const feed = (chunk: Buffer) => watch.feed(chunk);
  raw.on('data', feed);
  let before: number | null = null;
  let timer: Timer;
  const check = () => {
    const now = socket.isPaused ? null : watch.unfinished;
    if (now !== null && now === before) return socket.terminate();
    before = now;
    timer = clock.setTimer(messageMs, check);
  };
  timer = clock.setTimer(messageMs, check);
  return () => {
    timer.cancel();
    raw.off('data', feed);
  };
}
