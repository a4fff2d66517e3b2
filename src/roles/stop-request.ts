const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface StopRequest {
  /** Resolves at the first request to stop, with what it was. */
  readonly requested: Promise<string>;
  /** Listens no longer: a listener for the end of the supervisor keeps its channel, so the process, alive. */
  release(): void;
}

/** SIGINT, SIGTERM, SIGHUP, or the end of the process that supervises this one. */
export function stopRequest(host: NodeJS.Process = process): StopRequest {
  let resolve: (why: string) => void = () => {};
  const requested = new Promise<string>(done => {
    resolve = done;
  });
  const onSignal = (signal: string) => resolve(signal);
  const onDisconnect = () => resolve('supervisor gone');
  // Once: a second Ctrl-C ends a stop that takes too long.
  for (const signal of SIGNALS) host.once(signal, onSignal);
  if (host.channel !== undefined) host.once('disconnect', onDisconnect);
  return {
    requested,
    release: () => {
      for (const signal of SIGNALS) host.off(signal, onSignal);
      host.off('disconnect', onDisconnect);
    },
  };
}
