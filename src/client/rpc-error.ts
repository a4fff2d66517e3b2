/** An error that a node answered. Codes above zero: the node or the ledger refused; below: the call or the node failed. */
export class RpcError extends Error {
  override readonly name = 'RpcError';

  constructor(
    message: string,
    readonly code: number,
    /** Stable word for programs. */
    readonly reason: string,
    readonly hint: string | null,
    /** The parameter at fault; null unless the parameters were wrong. */
    readonly parameter: string | null = null,
  ) {
    super(message);
  }

  get refused(): boolean {
    return this.code > 0;
  }
}

/** @param error the `error` member of an answer, from outside: nothing about it is taken for granted */
export function rpcErrorOf(error: unknown): RpcError {
  const { code, message, data } = (error ?? {}) as { code?: unknown; message?: unknown; data?: unknown };
  const { reason, hint, parameter } = (data ?? {}) as Record<string, unknown>;
  const textOr = <T>(value: unknown, otherwise: T) => (typeof value === 'string' ? value : otherwise);
  return new RpcError(
    textOr(message, 'the node answered an error without a message'),
    typeof code === 'number' ? code : -32603,
    textOr(reason, 'unknown'),
    textOr(hint, null),
    textOr(parameter, null),
  );
}
