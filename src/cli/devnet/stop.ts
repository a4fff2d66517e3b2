/** Ctrl-C and its relatives as one signal; a second one ends the process at once. */
export function stopSignal(): { signal: AbortSignal; stopped: Promise<void>; release: () => void } {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Error('stopped'));
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, onSignal);
  const stopped = new Promise<void>(resolve => {
    controller.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  return {
    signal: controller.signal,
    stopped,
    release: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
