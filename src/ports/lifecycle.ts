/** Constructors do nothing; `start` may fail and then leaves nothing behind; `stop` may be called twice. */
export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** An operating error: the machine, the disk or the network failed, not the input. */
export class OperatingError extends Error {
  override readonly name = 'OperatingError';
  readonly code: string;

  /** @param hint what the operator can do next, as one sentence */
  constructor(
    code: string,
    message: string,
    readonly hint: string | null = null,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
