import type { IncomingMessage } from 'node:http';
import fastifyWebsocket from '@fastify/websocket';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { AssertionError } from '../core/base/assert.ts';
import type { Clock } from '../ports/clock.ts';
import { OperatingError, type Service } from '../ports/lifecycle.ts';
import type { Logger } from '../ports/logger.ts';
import { answerFailure } from './answer.ts';
import type { NodeApi } from './api.ts';
import { BodyBudget } from './body-budget.ts';
import { boundBody } from './body-timeout.ts';
import { Dispatcher, type SignedRequestCheck } from './dispatcher.ts';
import { failure, failureOfThrown, RpcFailure } from './errors.ts';
import { type FileRoutesApi, registerFileRoutes } from './file-routes.ts';
import { bearerToken, checkHostAndOrigin, SUBPROTOCOL } from './guard.ts';
import { collectNodeGauges, registerHealthRoutes } from './health-routes.ts';
import { RPC_LIMITS, type RpcLimits } from './limits.ts';
import type { Caller, RpcMethod } from './method.ts';
import type { MetricsRegistry } from './metrics.ts';
import { discoverMethod } from './openrpc.ts';
import { tokenCheck } from './session.ts';
import { Throttle } from './throttle.ts';
import { serveWebSocket } from './websocket.ts';

export interface RpcServerOptions {
  /** Address to listen on; loopback unless the operator says otherwise. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** How many ports above `port` are tried when it is taken. */
  readonly portTries: number;
  /** Host names and origins beyond the server's own (`guard.ts`). */
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Shown in the OpenRPC document. */
  readonly info: { readonly title: string; readonly version: string };
  readonly methods: readonly RpcMethod[];
  readonly node: NodeApi;
  /** Uploads and downloads; null where the role has no files. */
  readonly files: FileRoutesApi | null;
  readonly checkSigned: SignedRequestCheck | null;
  /** The session token (`openSessionToken`). */
  readonly token: string;
  readonly metrics: MetricsRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: Partial<RpcLimits>;
  /** A broken invariant inside a call: the process must stop. */
  readonly onFatal: (error: AssertionError) => void;
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
  }
}

const SESSION_KEY = 'session';
const SESSION_PARTS_MAX = 262_144;

/** JSON-RPC over HTTP (`POST /`) and WebSocket (`/`), health, metrics and file transfer. */
export class RpcServer implements Service {
  readonly limits: RpcLimits;
  /** What is open now, over all connections. */
  readonly open = { sockets: 0, subscriptions: 0 };
  /** Of the open ones, those without a session. */
  anonymousSockets = 0;
  private app: FastifyInstance | null = null;
  private stopping = new AbortController();
  private readonly calls: { readonly anonymous: Throttle; readonly session: Throttle };
  private readonly failedLogins: Throttle;
  private readonly bodies: BodyBudget;
  private readonly isToken: (given: string) => boolean;

  constructor(readonly options: RpcServerOptions) {
    const { clock } = options;
    this.limits = { ...RPC_LIMITS, ...options.limits };
    this.bodies = new BodyBudget(this.limits);
    collectNodeGauges(options.node, options.metrics);
    this.isToken = tokenCheck(options.token);
    const throttle = (perSecond: number, burst: number) =>
      new Throttle({
        perSecond,
        burst,
        keysMax: this.limits.throttleKeysMax,
        monotonicMs: () => clock.monotonicMs(),
      });
    const { anonymousCallsPerSecond, sessionCallsPerSecond } = this.limits;
    this.calls = {
      anonymous: throttle(anonymousCallsPerSecond, anonymousCallsPerSecond),
      session: throttle(sessionCallsPerSecond, sessionCallsPerSecond),
    };
    this.failedLogins = throttle(this.limits.failedLoginsPerSecond, this.limits.failedLoginsBurst);
  }

  /** @throws OperatingError `port_taken`, `cannot_listen` */
  async start(): Promise<void> {
    this.stopping = new AbortController();
    const { port, portTries } = this.options;
    const tries = port === 0 ? 0 : Math.min(portTries, this.limits.portTriesMax, 65_535 - port);
    for (let extra = 0; extra <= tries; extra += 1) {
      const app = await this.build();
      try {
        await app.listen({ host: this.options.host, port: port + extra });
        this.app = app;
        return;
      } catch (error) {
        await app.close();
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'EADDRINUSE') throw this.cannotListen(port + extra, error);
        if (extra === tries) throw this.portTaken(port, tries, error);
        this.options.logger.warn({ port: port + extra }, 'the RPC port is taken, trying the next');
      }
    }
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    const app = this.app;
    this.app = null;
    await app?.close();
  }

  /** Where the server listens, after `start`. */
  address(): { readonly host: string; readonly port: number; readonly url: string } {
    const bound = this.app?.server.address();
    if (bound === null || bound === undefined || typeof bound === 'string') {
      throw new OperatingError('not_started', 'the RPC server is not started');
    }
    const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
    return { host: bound.address, port: bound.port, url: `http://${host}:${bound.port}` };
  }

  /** Leave to run one more call now, by who calls. */
  takeCall(request: FastifyRequest): boolean {
    return request.caller.kind === 'anonymous'
      ? this.calls.anonymous.take(request.ip)
      : this.calls.session.take(SESSION_KEY);
  }

  private async build(): Promise<FastifyInstance> {
    const app = Fastify({
      logger: false,
      bodyLimit: this.limits.bodyBytesMax,
      connectionTimeout: this.limits.idleMs,
      // Uploads may take long: silence is bounded by the idle limit. Other bodies: `boundBody`.
      requestTimeout: 0,
      http: {
        headersTimeout: this.limits.requestMs,
        connectionsCheckingInterval: Math.ceil(this.limits.requestMs / 6),
      },
      forceCloseConnections: true,
      routerOptions: { maxParamLength: 2_048 },
    });
    app.server.maxConnections = this.limits.connectionsMax;
    // First of all: its hook has to mark upgrades before another hook refuses them, or their sockets stay open.
    await app.register(fastifyWebsocket, {
      options: {
        maxPayload: this.limits.bodyBytesMax,
        handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
      },
    });
    app.websocketServer.on('headers', (_headers, request) => this.boundMessages(app, request));
    app.decorateRequest('caller');
    app.addHook('onRequest', async (request, reply) => this.admit(request, reply));
    app.addHook('onRequest', async (request, reply) =>
      boundBody(request, reply, this.options.clock, this.limits),
    );
    app.setErrorHandler((error, _request, reply) => this.answerError(error, reply));
    app.setNotFoundHandler((_request, reply) =>
      answerFailure(
        reply,
        failure('not_found', 'unknown_path', 'there is nothing at this path', 'Calls go to POST /.'),
      ),
    );
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    this.registerCalls(app);
    registerHealthRoutes(app, this.options);
    if (this.options.files !== null) {
      await registerFileRoutes(app, this.options.files, {
        limits: this.limits,
        stopping: this.stopping.signal,
        failureOf: error => this.failureOf(error),
      });
    }
    return app;
  }

  private registerCalls(app: FastifyInstance): void {
    const { methods, info, logger, metrics, clock, checkSigned, onFatal } = this.options;
    const dispatcher = new Dispatcher({
      methods: [...methods, discoverMethod(methods, info)],
      limits: this.limits,
      logger,
      metrics,
      monotonicMs: () => clock.monotonicMs(),
      checkSigned,
      onFatal,
    });
    app.post('/', async (request, reply) => {
      if (!(request.body instanceof Uint8Array)) throw failureOfMediaType();
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const answer = await dispatcher.handle(request.body, {
        caller: request.caller,
        signal: AbortSignal.any([gone.signal, this.stopping.signal]),
        connection: null,
        takeCall: () => this.takeCall(request),
      });
      if (answer === null) return reply.code(204).send();
      return reply.type('application/json; charset=utf-8').send(answer);
    });
    app.route({
      method: 'GET',
      url: '/',
      handler: (_request, reply) =>
        answerFailure(
          reply.header('allow', 'POST').code(405),
          failure(
            'invalid_request',
            'use_post',
            'Invalid Request',
            'Send calls with POST, or open a WebSocket.',
          ),
          405,
        ),
      wsHandler: (socket, request) => serveWebSocket(socket, request, { server: this, dispatcher }),
    });
  }

  /** Before any body is read: headers, host, origin, token. A wrong token costs one hash and never delays others [96]. */
  private async admit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    reply.headers({
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
    });
    request.caller = { kind: 'anonymous' };
    const refusal = checkHostAndOrigin(request.headers, this.options);
    if (refusal !== null) throw refusal;
    const given = bearerToken(request.headers);
    if (given === null) return this.admitBody(request, reply);
    if (this.isToken(given)) {
      request.caller = { kind: 'session' };
      return;
    }
    if (!this.failedLogins.take(request.ip)) {
      throw failure(
        'rate_limited',
        'too_many_failed_logins',
        'too many wrong session tokens',
        'Wait a moment.',
      );
    }
    this.options.logger.warn({ address: request.ip }, 'a wrong session token was given');
    throw failure(
      'unauthorized',
      'wrong_token',
      'the session token is not the one of this node',
      "The token stands in the file rpc-token of the node's data directory.",
    );
  }

  /** Called between the check of a WebSocket's handshake and its receiver, which takes these limits, in one tick. */
  private boundMessages(app: FastifyInstance, request: IncomingMessage): void {
    const { bodyBytesMax, bodyBytesSmall, messagePartsMax } = this.limits;
    const given = bearerToken(request.headers);
    const hasSession = given !== null && this.isToken(given);
    const { options } = app.websocketServer;
    options.maxPayload = hasSession ? bodyBytesMax : bodyBytesSmall;
    options.maxFragments = hasSession ? SESSION_PARTS_MAX : messagePartsMax;
    options.maxBufferedChunks = options.maxFragments;
  }

  private admitBody(request: FastifyRequest, reply: FastifyReply): void {
    const release = this.bodies.take(request.headers);
    if (release === null) throw new RpcFailure('busy');
    reply.raw.once('close', release);
  }

  private answerError(error: unknown, reply: FastifyReply): FastifyReply {
    const refusal = this.failureOf(error);
    this.options.metrics.count('phaseline_rpc_refused_total', { reason: refusal.data.reason });
    // The rest of a refused body is not read.
    if (!reply.request.raw.readableEnded) reply.header('connection', 'close');
    return answerFailure(reply, refusal);
  }

  private failureOf(error: unknown): RpcFailure {
    const known = failureOfThrown(error, true);
    if (known !== null) return known;
    const { code, statusCode } = error as { code?: string; statusCode?: number };
    if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
      const hint = `At most ${this.limits.bodyBytesMax} bytes are read; files go by PUT (file upload).`;
      return failure('limit_exceeded', 'body_too_large', 'the body is too large', hint);
    }
    if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return failureOfMediaType();
    if (statusCode !== undefined && statusCode < 500) {
      return failure('invalid_request', 'bad_http_request', 'Invalid Request');
    }
    this.options.logger.error({ error }, 'an HTTP request failed unexpectedly');
    return failure('internal_error', 'internal_error', 'Internal error', "The node's log says more.");
  }

  private portTaken(port: number, tries: number, cause: unknown): OperatingError {
    const what = tries === 0 ? `port ${port} is taken` : `ports ${port} to ${port + tries} are taken`;
    return new OperatingError(
      'port_taken',
      `${what} on ${this.options.host}`,
      'Stop what listens there, or choose another port.',
      cause,
    );
  }

  private cannotListen(port: number, cause: unknown): OperatingError {
    const { host } = this.options;
    return new OperatingError(
      'cannot_listen',
      `cannot listen on ${host} port ${port}`,
      'Check rpc.host.',
      cause,
    );
  }
}

function failureOfMediaType(): RpcFailure {
  return failure(
    'unsupported_media_type',
    'unsupported_media_type',
    'the content type is not application/json',
    'Send the header content-type: application/json.',
  );
}
