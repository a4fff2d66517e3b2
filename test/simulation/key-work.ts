import { heldFrom } from '../../src/core/access/epochs.ts';
import { openUserKeys } from '../../src/core/access/member-keys.ts';
import { leavingHolders } from '../../src/core/access/recovery.ts';
import type { Hash, MemberId, PhaseId } from '../../src/core/base/ids.ts';
import {
  encodeEpochComplaint,
  encodeRecoveryAsk,
  encodeRecoveryOffer,
  encodeRecoveryShares,
} from '../../src/core/codec/custody.ts';
import {
  encodeMemberSuspend,
  encodeMemberUserAdd,
  encodeMemberUserRevoke,
  memberUserBytes,
} from '../../src/core/codec/member.ts';
import { findMember, readPhase, readSystem } from '../../src/core/ledger/read.ts';
import { COMPLAINT_REASONS } from '../../src/core/types/custody.ts';
import { type KindName, ROLES } from '../../src/core/types/operation.ts';
import type { PhaseState, StateView } from '../../src/core/types/state.ts';
import { type Actor, actorIn, bytesOf, hashOf, keyIdOf } from './consortium.ts';
import type { Drafts } from './drafts.ts';
import type { Named } from './flow-work.ts';
import type { Random } from './random.ts';
import { simulatedKey, simulatedSigner } from './suite.ts';

/** Where something is done, by whom it can be. */
interface Place {
  readonly state: StateView;
  readonly phase: PhaseState;
  readonly until: number;
}

const userSigner = (user: Hash) => simulatedSigner(`user ${user}`);

/** What members do about keys: those of their users, envelopes that give them nothing, shares of recovery keys; and suspension. */
export class KeyWork {
  private made = 0;

  constructor(
    private readonly random: Random,
    private readonly drafts: Drafts,
    /** All members; the list grows. */
    private readonly people: readonly MemberId[],
  ) {}

  /** Null when there is nothing of the kind that was drawn. */
  next(state: StateView, id: PhaseId, until: number): Named | null {
    const dice = this.random.next();
    if (dice < 0.2) return this.addUser(state, until);
    if (dice < 0.26) return this.revokeUser(state, until);
    if (dice < 0.3) return this.suspend(state, until);
    const phase = readPhase(state, id);
    if (phase === null || phase.participants.length === 0) return null;
    const place = { state, phase, until };
    if (dice < 0.5) return this.putAsUser(place);
    if (dice < 0.62) return this.complain(place);
    const { recovery } = phase;
    if (recovery === null || dice < 0.68) return this.share(place);
    const isAsked = recovery.asks.some(({ offers }) => offers.length < recovery.holders.length);
    return isAsked && dice < 0.92 ? this.offer(place) : this.ask(place);
  }

  private actor(state: StateView, id: MemberId): Actor {
    return actorIn(readSystem(state), id);
  }

  private participant({ phase }: Place): MemberId {
    return this.random.pick(phase.participants).member;
  }

  private named(kind: KindName, by: Actor, content: Uint8Array, until: number, phase?: PhaseId): Named {
    const { consortium } = this.drafts;
    const log = phase === undefined ? consortium.logId('system') : consortium.logId('phase', phase);
    return { kind, draft: this.drafts.sign(by, kind, until, [log], [{ scope: 0, content }]) };
  }

  private addUser(state: StateView, until: number): Named {
    const by = this.actor(state, this.random.pick(this.people));
    this.made += 1;
    const user = hashOf(`user ${this.made}`);
    const { publicKey: signingKey, sign } = userSigner(user);
    const proof = sign(memberUserBytes(this.drafts.consortium.chainId, by.id, signingKey));
    return this.named('memberUserAdd', by, encodeMemberUserAdd({ user, signingKey, proof }), until);
  }

  /** A user of the member, as the one who signs for it. */
  private userOf(state: StateView, id: MemberId): { readonly user: Hash; readonly actor: Actor } | null {
    const member = findMember(readSystem(state), id);
    const open = member === null ? [] : openUserKeys(member);
    if (open.length === 0) return null;
    const { keyId, key } = this.random.pick(open);
    return { user: key.user, actor: { ...this.actor(state, id), keyId, signer: userSigner(key.user) } };
  }

  private revokeUser(state: StateView, until: number): Named | null {
    const id = this.random.pick(this.people);
    const found = this.userOf(state, id);
    if (found === null) return null;
    const content = encodeMemberUserRevoke({ user: found.user });
    return this.named('memberUserRevoke', this.actor(state, id), content, until);
  }

  /** Never a founder: they are few, and nobody ends a suspension here. */
  private suspend(state: StateView, until: number): Named | null {
    const { administrators, members } = this.drafts.consortium;
    const founders = new Set([...administrators, ...members].map(({ id }) => id));
    const others = this.people.filter(id => !founders.has(id));
    if (others.length === 0) return null;
    const by = this.actor(state, this.random.pick(administrators).id);
    const content = encodeMemberSuspend({ member: this.random.pick(others), reason: 'looked into' });
    return this.named('memberSuspend', by, content, until);
  }

  private putAsUser(place: Place): Named | null {
    const { state, phase, until } = place;
    const found = this.userOf(state, this.participant(place));
    if (found === null) return null;
    this.made += 1;
    const payload = bytesOf(`by a user ${this.made}`, 60);
    return {
      kind: 'recordPut by a user',
      draft: this.drafts.put(state, found.actor, phase.id, payload, [], until),
    };
  }

  private complain(place: Place): Named {
    const { state, phase, until } = place;
    const by = this.actor(state, this.participant(place));
    const reason = this.random.pick(Object.values(COMPLAINT_REASONS));
    const content = encodeEpochComplaint({ phase: phase.id, epoch: phase.epochs.length - 1, reason });
    return this.named('epochComplaint', by, content, until, phase.id);
  }

  /** Among participants, so that nobody reads the log for the sake of a share alone. */
  private share(place: Place): Named | null {
    const { state, phase, until } = place;
    const { random } = this;
    const system = readSystem(state);
    const stewards = phase.participants.filter(({ roles }) => (roles & ROLES.steward) !== 0);
    if (stewards.length === 0 || phase.participants.length < 2) return null;
    const { member: by } = random.pick(stewards);
    this.made += 1;
    const shares = random
      .shuffled(phase.participants)
      .slice(0, random.between(2, 3))
      .map(({ member }) => member)
      .sort()
      .map(member => ({
        member,
        keyId: keyIdOf(system, member),
        commitment: hashOf(`share ${this.made} ${member}`),
        sealed: bytesOf(`sealed ${this.made} ${member}`, 120),
      }));
    const content = encodeRecoveryShares({
      phase: phase.id,
      expectedMembershipVersion: phase.membershipVersion,
      threshold: 2,
      publicKey: simulatedKey('recovery'),
      commitment: hashOf(`recovery ${this.made}`),
      fromEpoch: heldFrom(system, phase, by) ?? phase.epochs.length - 1,
      history: bytesOf(`history ${this.made}`, 120),
      shares,
      leaving: leavingHolders(phase, shares),
    });
    return this.named('recoveryShares', this.actor(state, by), content, until, phase.id);
  }

  private ask(place: Place): Named {
    const { state, phase, until } = place;
    const by = this.actor(state, this.participant(place));
    return this.named('recoveryAsk', by, encodeRecoveryAsk({ phase: phase.id }), until, phase.id);
  }

  private offer({ state, phase, until }: Place): Named | null {
    const { recovery } = phase;
    const ask = recovery?.asks.at(-1);
    const [holder] = this.random.shuffled(
      recovery?.holders.filter(({ member }) => ask?.offers.includes(member) === false) ?? [],
    );
    if (ask === undefined || holder === undefined) return null;
    const content = encodeRecoveryOffer({
      phase: phase.id,
      ask: ask.number,
      keyId: keyIdOf(readSystem(state), ask.member),
      sealed: bytesOf(`offer ${ask.number} ${holder.member}`, 120),
    });
    return this.named('recoveryOffer', this.actor(state, holder.member), content, until, phase.id);
  }
}
