import type { Cluster } from './cluster.ts';
import type { SimulatedNode } from './node.ts';

/** How a node is out for good. */
const FATES = ['crashed', 'cut off', 'never heard', 'hears nothing', 'linked to a few'] as const;

export const FATE_NAMES = FATES.map(fate => `for good: ${fate}`);

/** Honest nodes that stay out after healing; the others must go on without them (SCENARIOS 11). */
export class Minority {
  private readonly out = new Set<SimulatedNode>();

  constructor(private readonly cluster: Cluster) {}

  has(node: SimulatedNode): boolean {
    return this.out.has(node);
  }

  /** Nobody is there who hears only a part of the others. */
  get isSilent(): boolean {
    return [...this.out].every(({ isUp }) => !isUp);
  }

  /** @param nodes no more than may be faulty besides the others */
  leave(nodes: readonly SimulatedNode[]): void {
    const { coverage, trace } = this.cluster;
    // In turns, by the seed: few runs lose anybody for good.
    const turn = Math.floor(this.cluster.options.seed / 10);
    for (const [at, node] of nodes.entries()) {
      const fate = FATES[(turn + at) % FATES.length] as (typeof FATES)[number];
      coverage.hit(`for good: ${fate}`);
      trace.line(`— ${node.name} is out for good: ${fate}`);
      this.out.add(node);
      if (fate === 'crashed') node.crash(true);
      else this.cut(node, fate);
    }
  }

  private cut({ options: { place } }: SimulatedNode, fate: (typeof FATES)[number]): void {
    const { nodes, network, random } = this.cluster;
    for (const { options: other } of nodes) {
      if (other.place === place) continue;
      const isCut = fate !== 'linked to a few' || random.chance(0.7);
      if (isCut && fate !== 'hears nothing') network.cut(place, other.place, true);
      if (isCut && fate !== 'never heard') network.cut(other.place, place, true);
    }
  }
}
