import type { Hash, Suite } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { checkFork, type ForkEvidence, findFork, type ShownHistory } from '../../core/light/fork.ts';
import { advanceTrust, type SetChange, type Trust } from '../../core/light/trust.ts';
import type { CertifiedHeader } from '../../core/types/chain.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { LightStore } from './light-store.ts';
import type { Sources } from './sources.ts';

export interface ForkWatchConfig {
  readonly suite: Suite;
  readonly chainId: Hash;
  readonly store: LightStore;
  readonly sources: Sources;
  readonly signal: AbortSignal;
  /** Genesis, from which every history is verified. */
  readonly genesis: Trust;
  /** The evidence is on disk. */
  readonly found: (evidence: ForkEvidence) => void;
}

/** Why nothing is sent any more. */
export function forkedError(): OperatingError {
  const hint =
    'phaseline evidence verify shows who signed both; start anew once it is settled which one holds.';
  return new OperatingError('forked', 'validators have certified two histories of this chain', hint);
}

/** Turns a head that conflicts with the trusted one into evidence that anybody can check [76]. */
export class ForkWatch {
  constructor(
    private readonly config: ForkWatchConfig,
    /** Kept from an earlier run too: nothing is believed any more until people have settled which history holds. */
    public evidence: ForkEvidence | null,
  ) {}

  /**
   * @param conflicting what the source has at a height at or next to that of the trusted head
   * @returns why the source is not believed: `fork` where both histories are certified, otherwise its fault
   */
  async compare(peer: PeerId, trust: Trust, conflicting: CertifiedHeader): Promise<Reject> {
    const { suite, chainId, store, genesis } = this.config;
    const { header, proof } = trust;
    if (proof === undefined) return reject('wrong_anchor', 'the source has another genesis');
    const changes = await store.setChanges();
    const setChanges = changes.filter(({ certified }) => certified.header.height <= header.height);
    const own = { setChanges, head: { header, certificate: proof.certificate } };
    const other = await this.historyOf(peer, conflicting);
    if (isReject(other)) return other;
    const evidence = findFork(suite, chainId, own, other);
    if (evidence === null) return reject('conflicting_head', `height ${conflicting.header.height}`);
    const anchor = { genesisHeader: genesis.header, genesisSet: genesis.set };
    const verdict = checkFork(suite, evidence, anchor);
    if (isReject(verdict)) return verdict;
    await store.write([store.putFork(evidence)]);
    this.evidence = evidence;
    this.config.found(evidence);
    const detail = `height ${evidence.first.header.height}, both signed by ${verdict.signedBoth.join(', ')}`;
    return reject('fork', detail);
  }

  /** The source's set changes up to a head of its own, all of it verified from genesis. */
  private async historyOf(peer: PeerId, head: CertifiedHeader): Promise<ShownHistory | Reject> {
    const { suite, sources, signal, genesis } = this.config;
    const setChanges: SetChange[] = [];
    let trust: Trust | Reject = genesis;
    while (!isReject(trust)) {
      const end = advanceTrust(suite, trust, { setChanges: [], head });
      if (!isReject(end)) return { setChanges, head };
      const query = { kind: 'head' as const, knownHeight: trust.header.height, knownHash: null };
      const answer = await sources.ask(peer, query, signal);
      if (isReject(answer)) return answer;
      if (answer.kind !== 'head') return reject('wrong_answer', answer.kind);
      const shown = answer.changes.filter(({ certified }) => certified.header.height <= head.header.height);
      const last = shown.at(-1);
      if (last === undefined) return end;
      setChanges.push(...shown);
      trust = advanceTrust(suite, trust, { setChanges: shown, head: last.certified });
    }
    return trust;
  }
}
