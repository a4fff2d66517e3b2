const EVENTS = ['unhandledRejection', 'uncaughtException'] as const;

export interface UncaughtFault {
  /** Resolves with the first error that nothing caught. */
  readonly occurred: Promise<Error>;
  release(): void;
}

/** A fault that nobody waits for, such as a bad read behind a request, stops the node in order instead of with a stack trace. */
export function uncaughtFault(host: NodeJS.Process = process): UncaughtFault {
  let resolve: (error: Error) => void = () => {};
  const occurred = new Promise<Error>(done => {
    resolve = done;
  });
  const onFault = (fault: unknown) => resolve(fault instanceof Error ? fault : new Error(String(fault)));
  for (const event of EVENTS) host.on(event, onFault);
  return {
    occurred,
    release: () => {
      for (const event of EVENTS) host.off(event, onFault);
    },
  };
}
