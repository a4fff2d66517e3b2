import type { Hash, LogId, MemberId, Sha256 } from '../../core/base/ids.ts';
import { mapKeyOf } from '../../core/codec/state.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import { readMemberScope, readMemberScopeCount } from '../../core/ledger/read.ts';
import { changedKeys, stepProof } from '../../core/merkle/map-view.ts';
import type { ChainStore, StoredBlock } from '../../ports/chain-store.ts';
import { LIGHT_WIRE_LIMITS, type QuietLogs } from '../../wire/light.ts';

/** A log by its bit in what a member names as quiet. */
interface Known {
  readonly bit: number;
  readonly logId: LogId;
  readonly key: Hash;
}

/** A member's logs: bit 0 is the system's, the others are its scopes' in their order. */
interface MemberLogs {
  readonly base: number;
  readonly byKey: readonly Known[];
}

/** What a server says of quiet logs under its head. */
export interface QuietAnswer {
  /** The system log first; `ended` where the asker was out of it. */
  readonly changed: readonly { readonly logId: LogId; readonly ended: boolean }[];
  readonly step: Uint8Array;
}

const has = (bits: Uint8Array, bit: number) => ((bits[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0;

/** Finds out which of a member's quiet logs have changed since a height, at the cost of what changed around them. */
export class QuietLogReader {
  private readonly members = new Map<MemberId, MemberLogs>();
  private kept = 0;

  /** @param logsMax logs of all members of which the map's keys are remembered, some 300 bytes each */
  constructor(
    private readonly store: ChainStore,
    private readonly sha256: Sha256,
    private readonly logsMax: number,
  ) {}

  /** Null when the map of that height is not known here, or too much has changed: then the asker asks for each log. */
  answer(head: StoredBlock, member: MemberId, quiet: QuietLogs, changedMax: number): QuietAnswer | null {
    const { mapRoot, height } = head.block.header;
    const before = quiet.height > height ? null : this.store.block(quiet.height);
    if (before === null || this.store.state.mapNode(before.block.header.mapRoot) === null) return null;
    const known = this.logsOf(head.block.header.chainId, member);
    const held = known.filter(({ bit }) => has(quiet.held, bit));
    const ended = known.filter(({ bit }) => has(quiet.ended, bit) && !has(quiet.held, bit));
    const nodes = (hash: Hash) => this.store.state.mapNode(hash);
    const root = before.block.header.mapRoot;
    const keysOf = (logs: readonly Known[]) => logs.map(({ key }) => key);
    const changed = new Set(changedKeys(nodes, root, mapRoot, keysOf(held)));
    const step = stepProof(
      nodes,
      root,
      mapRoot,
      keysOf(held).filter(key => !changed.has(key)),
    );
    const woken = new Set(changedKeys(nodes, root, mapRoot, keysOf(ended)));
    if (changed.size + woken.size > changedMax) return null;
    const named = known.filter(({ key }) => changed.has(key) || woken.has(key)).sort((a, b) => a.bit - b.bit);
    return { changed: named.map(({ logId, key }) => ({ logId, ended: woken.has(key) })), step };
  }

  private logsOf(chainId: Hash, member: MemberId): readonly Known[] {
    const { state, history } = this.store;
    const base = history.baseHeight;
    const remembered = this.members.get(member);
    const count = Math.min(readMemberScopeCount(state, member), LIGHT_WIRE_LIMITS.quietBytes * 8 - 1) + 1;
    if (remembered?.base === base && remembered.byKey.length === count) return remembered.byKey;
    const known = remembered?.base === base ? [...remembered.byKey] : [];
    for (let bit = known.length; bit < count; bit += 1) {
      const ref =
        bit === 0 ? { scope: 'system' as const, id: chainId } : readMemberScope(state, member, bit - 1);
      const logId = logIdOf(this.sha256, chainId, ref.scope, ref.id);
      known.push({ bit, logId, key: mapKeyOf(this.sha256, logId) });
    }
    known.sort((a, b) => (a.key < b.key ? -1 : 1));
    this.remember(member, { base, byKey: known });
    return known;
  }

  private remember(member: MemberId, logs: MemberLogs): void {
    this.kept += logs.byKey.length - (this.members.get(member)?.byKey.length ?? 0);
    this.members.delete(member);
    this.members.set(member, logs);
    for (const [oldest, { byKey }] of this.members) {
      if (this.kept <= this.logsMax || oldest === member) return;
      this.members.delete(oldest);
      this.kept -= byKey.length;
    }
  }
}
