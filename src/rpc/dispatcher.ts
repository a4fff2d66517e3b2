import { AssertionError } from '../core/base/assert.ts';
import { isReject } from '../core/base/reject.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { ErrorObject } from './errors.ts';
import { failure, failureOfReject, failureOfThrown, RpcFailure } from './errors.ts';
import { parseJson } from './json.ts';
import type { RpcLimits } from './limits.ts';
import type { CallContext, Caller, RpcMethod } from './method.ts';
import { parseParams } from './params.ts';

/** Turns the `signed` member of the parameters into the member who signed and the parameters that were signed. */
export type SignedRequestCheck = (
  method: string,
  signed: unknown,
) => { readonly caller: Caller; readonly params: unknown };

/** A call's context, and leave to run one more call now. */
export interface DispatchContext extends CallContext {
  takeCall(): boolean;
}

export interface DispatcherOptions {
  readonly methods: readonly RpcMethod[];
  readonly limits: RpcLimits;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Monotonic milliseconds. */
  readonly monotonicMs: () => number;
  /** Null where no method takes signed requests. */
  readonly checkSigned: SignedRequestCheck | null;
  /** Called with a broken invariant: the process must stop. */
  readonly onFatal: (error: AssertionError) => void;
}

type Id = string | number | null;

interface Request {
  readonly id: Id;
  readonly notification: boolean;
  readonly method: string;
  readonly params: unknown;
}

const ID_CHARACTERS_MAX = 256;

/** JSON-RPC 2.0 to the letter: https://www.jsonrpc.org/specification */
export class Dispatcher {
  private readonly methods: ReadonlyMap<string, RpcMethod>;
  private inFlight = 0;

  constructor(private readonly options: DispatcherOptions) {
    this.methods = new Map(options.methods.map(method => [method.name, method]));
  }

  /** @returns the answer's text; null when nothing is to be answered (notifications only) */
  async handle(source: Uint8Array | string, context: DispatchContext): Promise<string | null> {
    let message: unknown;
    try {
      message = parseJson(source, this.options.limits.jsonDepthMax);
    } catch (thrown) {
      return errorText(null, this.describe(thrown, 'parse', context.caller));
    }
    return Array.isArray(message) ? this.batch(message, context) : this.single(message, context);
  }

  private async batch(messages: readonly unknown[], context: DispatchContext): Promise<string | null> {
    const { batchCallsMax, batchAnswerBytesMax } = this.options.limits;
    if (messages.length === 0)
      return errorText(null, invalidRequest('empty_batch', 'A batch has at least one call.'));
    if (messages.length > batchCallsMax) {
      return errorText(
        null,
        invalidRequest('batch_too_large', `A batch has at most ${batchCallsMax} calls.`),
      );
    }
    const answers: (string | null)[] = new Array(messages.length).fill(null);
    let next = 0;
    let characters = 0;
    const worker = async () => {
      while (next < messages.length) {
        const index = next++;
        const answer = await this.single(messages[index], context, characters > batchAnswerBytesMax);
        answers[index] = answer;
        characters += answer?.length ?? 0;
      }
    };
    await Promise.all(Array.from({ length: this.concurrencyOf(messages) }, worker));
    const given = answers.filter(answer => answer !== null);
    return given.length === 0 ? null : `[${given.join(',')}]`;
  }

  private concurrencyOf(messages: readonly unknown[]): number {
    const { batchConcurrency, briefCallsInFlightMax } = this.options.limits;
    const isBrief = (message: unknown) => {
      const request = readRequest(message);
      return !(request instanceof RpcFailure) && this.methods.get(request.method)?.isBrief === true;
    };
    const all = this.inFlight + messages.length <= briefCallsInFlightMax && messages.every(isBrief);
    return all ? messages.length : Math.min(batchConcurrency, messages.length);
  }

  private async single(message: unknown, context: DispatchContext, full = false): Promise<string | null> {
    const request = readRequest(message);
    if (request instanceof RpcFailure) return errorText(idOf(message) ?? null, request.toObject());
    let answer: string;
    try {
      if (full)
        throw failure('limit_exceeded', 'batch_answer_too_large', 'the answers of the batch are too large');
      const result = await this.counted(request, context);
      answer = `{"jsonrpc":"2.0","id":${JSON.stringify(request.id)},"result":${JSON.stringify(result ?? null)}}`;
    } catch (thrown) {
      answer = errorText(request.id, this.describe(thrown, request.method, context.caller));
    }
    return request.notification ? null : answer;
  }

  /** Runs one call inside the limits and counts it under its name. */
  private async counted(request: Request, context: DispatchContext): Promise<unknown> {
    const method = this.methods.get(request.method);
    const { metrics, monotonicMs } = this.options;
    const label = method?.name ?? 'unknown';
    const startMs = monotonicMs();
    let result = 'error';
    try {
      if (!context.takeCall())
        throw failure('rate_limited', 'rate_limited', 'too many calls', 'Wait a second.');
      if (this.inFlight >= this.options.limits.callsInFlightMax) throw new RpcFailure('busy');
      if (method === undefined) {
        throw new RpcFailure('method_not_found', 'Method not found', {
          reason: 'method_not_found',
          hint: 'rpc.discover lists the methods of this node.',
        });
      }
      this.inFlight += 1;
      try {
        const value = await this.call(method, request, context);
        result = 'ok';
        return value;
      } finally {
        this.inFlight -= 1;
      }
    } finally {
      metrics.count('phaseline_rpc_calls_total', { method: label, result });
      metrics.observe('phaseline_rpc_call_seconds', (monotonicMs() - startMs) / 1000, { method: label });
    }
  }

  private async call(method: RpcMethod, request: Request, context: DispatchContext): Promise<unknown> {
    const signed = method.access === 'member' ? signedOf(request.params) : undefined;
    const { caller, params } =
      signed !== undefined && this.options.checkSigned !== null
        ? this.options.checkSigned(method.name, signed)
        : { caller: context.caller, params: request.params };
    checkAccess(method, caller);
    const value = await method.handle(parseParams(method.params, params), {
      caller,
      signal: context.signal,
      connection: context.connection,
    });
    if (isReject(value)) throw failureOfReject(value);
    return value;
  }

  private describe(thrown: unknown, method: string, caller: Caller): ErrorObject {
    const known = failureOfThrown(thrown, caller.kind !== 'anonymous');
    if (known !== null) {
      if (!(thrown instanceof RpcFailure)) this.options.logger.warn({ method, error: thrown }, 'call failed');
      return known.toObject();
    }
    this.options.logger.error({ method, error: thrown }, 'call failed unexpectedly');
    if (thrown instanceof AssertionError) this.options.onFatal(thrown);
    return failure(
      'internal_error',
      'internal_error',
      'Internal error',
      "The node's log says more.",
    ).toObject();
  }
}

function checkAccess(method: RpcMethod, caller: Caller): void {
  if (method.access === 'public' || caller.kind === 'session') return;
  if (method.access === 'member' && caller.kind === 'member') return;
  throw failure(
    'unauthorized',
    'session_needed',
    method.access === 'member'
      ? `${method.name} needs the session token or a signed request`
      : `${method.name} needs the session token`,
    "Send the token of the node's data directory as a bearer token.",
  );
}

/** The `signed` member, when it is the only parameter. */
function signedOf(params: unknown): unknown {
  if (typeof params !== 'object' || params === null || Array.isArray(params)) return undefined;
  const keys = Object.keys(params);
  return keys.length === 1 && keys[0] === 'signed' ? (params as { signed: unknown }).signed : undefined;
}

function invalidRequest(reason: string, hint: string): ErrorObject {
  return failure('invalid_request', reason, 'Invalid Request', hint).toObject();
}

function errorText(id: Id, error: ErrorObject): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error });
}

/** The id of a message when it is usable; undefined when there is none or it is none of the specification's. */
function idOf(message: unknown): Id | undefined {
  if (typeof message !== 'object' || message === null || !Object.hasOwn(message, 'id')) return undefined;
  const { id } = message as { id: unknown };
  if (id === null) return null;
  if (typeof id === 'string') return id.length <= ID_CHARACTERS_MAX ? id : undefined;
  // An integer that JavaScript would round is no id: the caller would not know its answer again (SCENARIOS 97).
  if (typeof id === 'number' && Math.abs(id) <= Number.MAX_SAFE_INTEGER) return id;
  return undefined;
}

function readRequest(message: unknown): Request | RpcFailure {
  const wrong = (reason: string, hint: string) => failure('invalid_request', reason, 'Invalid Request', hint);
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    return wrong('not_an_object', 'A request is a JSON object.');
  }
  const { jsonrpc, method, params } = message as Record<string, unknown>;
  const id = idOf(message);
  if (Object.hasOwn(message, 'id') && id === undefined) {
    return wrong(
      'invalid_id',
      `An id is a string of at most ${ID_CHARACTERS_MAX} characters, a number or null.`,
    );
  }
  if (jsonrpc !== '2.0') return wrong('wrong_version', 'The member jsonrpc is "2.0".');
  if (typeof method !== 'string') return wrong('invalid_method', 'The member method is a string.');
  if (Object.hasOwn(message, 'params') && (typeof params !== 'object' || params === null)) {
    return wrong('invalid_params', 'The member params is an object or an array.');
  }
  return { id: id ?? null, notification: id === undefined, method, params: params ?? {} };
}
