import { transportContract } from '../../contracts/transport.ts';
import { MemoryNetwork } from '../../support/memory-transport.ts';

transportContract('memory', () => {
  const network = new MemoryNetwork();
  return { create: async name => network.create({ peerId: `memory-${name}`, penaltyMs: 20 }) };
});
