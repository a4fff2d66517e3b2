// libp2p 3 calls Promise.withResolvers, which Node has from version 22 on. Import before anything of libp2p.
interface Resolvers<T> {
  promise: Promise<T>;
  resolve: (value: T | PromiseLike<T>) => void;
  reject: (reason?: unknown) => void;
}

const target = Promise as unknown as { withResolvers?: <T>() => Resolvers<T> };

target.withResolvers ??= function withResolvers<T>(): Resolvers<T> {
  const made: Partial<Resolvers<T>> = {};
  made.promise = new Promise<T>((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made as Resolvers<T>;
};
