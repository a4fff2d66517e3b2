import type { MessageContent, PreparedProof, ViewChange } from '../../src/core/pbft/messages.ts';
import { quorumOf } from './checker-certificate.ts';

/**
 * As primary it shows its blocks to so many that they are prepared with its own vote, which it gives to nobody: it alone can prove them.
 * An accomplice who is primary after it hears of none, and so leaves others at the same heights; both meet in the view that follows.
 */
export class Hoard {
  /** By height, of its own views. */
  private readonly kept = new Map<number, PreparedProof>();
  /** What it asked for last: the same is said to all. */
  private said: ViewChange | null = null;

  constructor(
    private readonly own: number,
    private readonly validators: number,
    private readonly isAccomplice: (index: number) => boolean,
  ) {}

  private isOwn(view: number): boolean {
    return view % this.validators === this.own;
  }

  /** @param to index of the receiver */
  shows(content: MessageContent, to: number): boolean {
    const { kind } = content;
    if ((kind !== 'prePrepare' && kind !== 'prepare' && kind !== 'commit') || !this.isOwn(content.view))
      return true;
    const distance = (to - this.own + this.validators) % this.validators;
    return kind === 'prePrepare' && distance < quorumOf(this.validators);
  }

  /** In turns: all of it, without the lowest proof, or without that if its own view was the last. */
  asks(content: ViewChange): ViewChange {
    const { view, head, prepared } = content;
    if (this.said?.view === view) return this.said;
    for (const proof of prepared)
      if (this.isOwn(proof.certificate.view)) this.kept.set(proof.header.height, proof);
    for (const height of this.kept.keys()) if (height <= head.header.height) this.kept.delete(height);
    const isLast = this.isOwn(view - 1);
    const proofs = isLast ? this.afterOwn(content) : this.late(content);
    const isWhole = view % 3 === 0 || (view % 3 === 2 && !isLast);
    this.said = { ...content, prepared: isWhole ? proofs : proofs.slice(1) };
    return this.said;
  }

  /** Its own view has ended. */
  private afterOwn({ view, prepared }: ViewChange): readonly PreparedProof[] {
    if (!this.isAccomplice(view % this.validators)) return prepared;
    return prepared.filter(({ certificate }) => !this.isOwn(certificate.view));
  }

  /** What it had hidden, in place of what is newer. */
  private late({ prepared }: ViewChange): readonly PreparedProof[] {
    const shown = new Map(prepared.map(proof => [proof.header.height, proof]));
    for (const [height, proof] of this.kept) shown.set(height, proof);
    return [...shown.values()].sort((a, b) => a.header.height - b.header.height);
  }
}
