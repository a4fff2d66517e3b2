import type { MemberId, Suite } from '../../core/base/ids.ts';
import { isReject, type Reject } from '../../core/base/reject.ts';
import { checkFreshHead, type FreshHeadStatement } from '../../core/light/fresh-head.ts';
import type { Trust } from '../../core/light/trust.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { PeerId } from '../../ports/transport.ts';
import { LIGHT_WIRE_LIMITS, type LightRequest } from '../../wire/light.ts';
import type { LightAnswer, MemberPeer } from '../../wire/light-answer.ts';
import { SourceFailure, type Sources } from './sources.ts';

/** Questions to the sources that change nothing of what is held. */
export class Inquiries {
  constructor(
    private readonly sources: Sources,
    private readonly signal: AbortSignal,
  ) {}

  async addressesOf(members: readonly MemberId[]): Promise<readonly MemberPeer[]> {
    const found = new Map<PeerId, MemberPeer>();
    const asked = members.slice(0, LIGHT_WIRE_LIMITS.membersPerQuery);
    for (const answer of await this.askAll({ kind: 'addresses', members: asked })) {
      if (answer.kind !== 'addresses') continue;
      for (const entry of answer.peers) {
        const known = found.get(entry.peer)?.addresses ?? [];
        found.set(entry.peer, { ...entry, addresses: [...new Set([...known, ...entry.addresses])] });
      }
    }
    return [...found.values()];
  }

  /** @param nonce 32 random bytes that were never used before */
  async checkFresh(suite: Suite, trust: Trust, nonce: Uint8Array): Promise<Reject | null> {
    const answers = await this.askAll({ kind: 'fresh', nonce });
    const statements = answers.flatMap((answer): FreshHeadStatement[] =>
      answer.kind === 'fresh' ? [answer.statement] : [],
    );
    return checkFreshHead(suite, trust, nonce, statements);
  }

  async askAny(request: LightRequest): Promise<LightAnswer | Reject> {
    let refusal: Reject | null = null;
    for (const peer of this.sources.usable()) {
      const answer = await this.ask(peer, request);
      if (answer !== null && !isReject(answer)) return answer;
      refusal = answer ?? refusal;
    }
    if (refusal !== null) return refusal;
    throw new OperatingError(
      'no_source',
      'no consensus node can be reached',
      'phaseline status shows the connections.',
    );
  }

  private async askAll(request: LightRequest): Promise<LightAnswer[]> {
    const answers = await Promise.all(this.sources.usable().map(peer => this.ask(peer, request)));
    return answers.filter(answer => answer !== null && !isReject(answer)) as LightAnswer[];
  }

  /** Null when the source cannot be reached or does not answer in time. */
  private async ask(peer: PeerId, request: LightRequest): Promise<LightAnswer | Reject | null> {
    try {
      return await this.sources.ask(peer, request, this.signal);
    } catch (error) {
      if (!(error instanceof SourceFailure)) throw error;
      return null;
    }
  }
}
