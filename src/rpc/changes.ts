import type { OnChange } from './api.ts';

/**
 * Waits for changes without losing one: a change between two waits ends the next wait at once.
 *
 * @returns `wait` resolves at the next change or when the signal fires; `close` stops listening
 */
export function watchChanges(
  onChange: OnChange,
  signal: AbortSignal,
): { wait: () => Promise<void>; close: () => void } {
  let changed = false;
  let wake: (() => void) | null = null;
  const ring = () => {
    changed = true;
    wake?.();
    wake = null;
  };
  const stop = onChange(ring);
  signal.addEventListener('abort', ring, { once: true });
  return {
    wait: async () => {
      if (!changed && !signal.aborted) await new Promise<void>(resolve => (wake = resolve));
      changed = false;
    },
    close: () => {
      stop();
      signal.removeEventListener('abort', ring);
    },
  };
}

/** For implementers of the ports: a set of listeners. */
export class ChangeSource {
  private readonly listeners = new Set<() => void>();

  readonly on: OnChange = listener => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  notify(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
