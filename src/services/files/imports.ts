interface Running {
  readonly ending: AbortController;
  readonly done: Promise<unknown>;
}

/** Archives that are taken in, by the file: an order to purge it ends them, for what they store later would stay. */
export class Imports {
  private readonly running = new Map<string, Set<Running>>();

  /** @param work stores nothing more after its signal fired */
  async run<T>(cid: string, work: (ending: AbortSignal) => Promise<T>): Promise<T> {
    const ending = new AbortController();
    const done = work(ending.signal);
    const one = { ending, done };
    const ofFile = this.running.get(cid) ?? new Set<Running>();
    this.running.set(cid, ofFile.add(one));
    try {
      return await done;
    } finally {
      ofFile.delete(one);
      if (ofFile.size === 0) this.running.delete(cid);
    }
  }

  /** When it resolves, none is at work on the file. */
  async end(cid: string): Promise<void> {
    const ofFile = [...(this.running.get(cid) ?? [])];
    for (const { ending } of ofFile) ending.abort();
    await Promise.allSettled(ofFile.map(({ done }) => done));
  }
}

/** The source until the signal fires, also while nothing comes of it. */
export async function* until<T>(signal: AbortSignal, source: AsyncIterable<T>): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await new Promise<IteratorResult<T>>((resolve, fail) => {
        const stop = () => fail(signal.reason);
        if (signal.aborted) return stop();
        signal.addEventListener('abort', stop);
        iterator
          .next()
          .then(resolve, fail)
          .finally(() => signal.removeEventListener('abort', stop));
      });
      if (step.done === true) return;
      yield step.value;
    }
  } finally {
    // not awaited: a source that is silent does not end either
    iterator.return?.().catch(() => undefined);
  }
}
