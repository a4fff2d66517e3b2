import type { z } from 'zod';
import type { MemberId } from '../core/base/ids.ts';
import type { Reject } from '../core/base/reject.ts';
import type { ErrorName } from './errors.ts';

/**
 * Who may call: anybody; the holder of the session token; the holder of the token or a member with a signed request
 * (the method then decides what that member may do).
 */
export type Access = 'public' | 'session' | 'member';

export type Caller =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'session' }
  | { readonly kind: 'member'; readonly member: MemberId };

/** Sends one event of a subscription; resolves when the socket took it, so that a slow reader slows its source. */
export type Emit = (event: { readonly cursor: number; readonly item: unknown }) => Promise<void>;

/** The WebSocket that a call came over. */
export interface Connection {
  /**
   * Registers a subscription; `run` starts after the call was answered and ends with its signal.
   *
   * @returns the subscription's name
   * @throws RpcFailure when the connection has too many
   */
  subscribe(run: (emit: Emit, signal: AbortSignal) => Promise<void>): string;
  cancel(subscription: string): boolean;
}

export interface CallContext {
  readonly caller: Caller;
  /** Fires when the caller is gone or the server stops. */
  readonly signal: AbortSignal;
  /** Null over plain HTTP. */
  readonly connection: Connection | null;
}

export interface MethodDefinition<P extends z.ZodObject, R extends z.ZodType> {
  /** `namespace_camelCase` */
  readonly name: string;
  readonly summary: string;
  readonly access: Access;
  /** A strict object; the order of its keys is the order of positional parameters. */
  readonly params: P;
  readonly result: R;
  /** Errors that callers should expect, beyond those of every call. */
  readonly errors: readonly ErrorName[];
  /** It answers little, and costs less together with others: a batch of such calls runs them all at the same time. */
  readonly isBrief?: boolean;
  handle(params: z.output<P>, context: CallContext): z.input<R> | Reject | Promise<z.input<R> | Reject>;
}

/** A method whose types were checked where it was defined. */
export interface RpcMethod {
  readonly name: string;
  readonly summary: string;
  readonly access: Access;
  readonly params: z.ZodObject;
  readonly result: z.ZodType;
  readonly errors: readonly ErrorName[];
  readonly isBrief?: boolean;
  handle(params: unknown, context: CallContext): unknown;
}

/** The one place where the parameter type is forgotten: the dispatcher calls `handle` with what `params` parsed. */
export function defineMethod<P extends z.ZodObject, R extends z.ZodType>(
  definition: MethodDefinition<P, R>,
): RpcMethod {
  return {
    ...definition,
    handle: (params, context) => definition.handle(params as z.output<P>, context),
  };
}
