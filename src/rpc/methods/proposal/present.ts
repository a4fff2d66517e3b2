import { z } from 'zod';
import { isExpired, tally } from '../../../core/access/ballots.ts';
import { openUserKeys, ownKeyOf } from '../../../core/access/member-keys.ts';
import { toHex } from '../../../core/base/bytes.ts';
import { findMember } from '../../../core/ledger/read.ts';
import type { Action, Administration, MemberAction, Proposal } from '../../../core/types/governance.ts';
import { outcomeName } from '../../../core/types/outcome.ts';
import type { Member, SystemState } from '../../../core/types/state.ts';
import { count } from '../../schemas.ts';

/** One line of what a proposal changes; null where there is nothing before, or nothing after. */
const changeSchema = z.object({
  what: z.string(),
  before: z.string().nullable(),
  after: z.string().nullable(),
});

export const proposalSchema = z.object({
  proposal: count.meta({ description: 'its number' }),
  title: z.string(),
  proposer: z.string(),
  status: z.enum(['open', 'executed', 'rejected', 'withdrawn', 'stale', 'failed', 'expired']),
  reason: z.string().nullable().meta({ description: 'outcome that says why a failed one changed nothing' }),
  height: count,
  expiresHeight: count,
  closedHeight: count.nullable(),
  approvals: count,
  rejections: count,
  outstanding: count,
  threshold: count,
  ballots: z.array(z.object({ member: z.string(), approve: z.boolean(), height: count })),
  changes: z.array(changeSchema),
});

export type PresentedProposal = z.infer<typeof proposalSchema>;

const keyText = (key: Uint8Array) => `key ${toHex(key).slice(0, 16)}…`;

function administrationText({ members, threshold }: Administration): string {
  return `${threshold} of ${members.join(', ')}`;
}

/** The validator as it is while the proposal is open; of what it was before a decision nothing is kept. */
function validatorText(system: SystemState, name: string, open: boolean): string {
  const entry = open ? system.validatorSet.validators.find(validator => validator.name === name) : undefined;
  return entry === undefined ? 'in the set' : `${keyText(entry.publicKey)}, peer ${entry.peerId}`;
}

function keysText({ keys, peerIds }: Pick<Member, 'keys' | 'peerIds'>): string {
  const users = openUserKeys({ keys }).length;
  const own = keyText(ownKeyOf({ keys }).key.signingKey);
  return [own, ...(users === 0 ? [] : [`${users} users`]), ...peerIds.map(peer => `peer ${peer}`)].join(', ');
}

/** As with validators: what a member was before a decision stands in its history only. */
function memberChange(
  system: SystemState,
  action: MemberAction,
  open: boolean,
): z.infer<typeof changeSchema> {
  const id = action.type === 'memberRekey' ? action.card.id : action.member;
  const member = open ? findMember(system, id) : null;
  if (action.type === 'memberRekey') {
    const { signingKey, peerIds } = action.card;
    const after = [keyText(signingKey), ...peerIds.map(peer => `peer ${peer}`)].join(', ');
    return { what: `keys of ${id}`, before: member === null ? 'others' : keysText(member), after };
  }
  const what = `member ${id}`;
  if (action.type === 'memberResume') {
    const since = member === null ? '' : ` since height ${member.suspendedHeight}`;
    return { what, before: `suspended${since}`, after: 'active' };
  }
  const after = action.type === 'memberRevoke' ? 'revoked' : 'suspended';
  return { what, before: 'active', after: action.reason === '' ? after : `${after}: ${action.reason}` };
}

function changesOf(system: SystemState, action: Action, open: boolean): z.infer<typeof changeSchema>[] {
  switch (action.type) {
    case 'validatorAdd': {
      const { name, publicKey, peerId } = action.validator;
      const after = [keyText(publicKey), `peer ${peerId}`, ...action.addresses].join(', ');
      return [{ what: `validator ${name}`, before: null, after }];
    }
    case 'validatorRemove':
      return [
        { what: `validator ${action.name}`, before: validatorText(system, action.name, open), after: null },
      ];
    case 'validatorRekey': {
      const before = validatorText(system, action.name, open);
      return [{ what: `validator ${action.name}`, before, after: keyText(action.publicKey) }];
    }
    case 'parameters':
      return action.changes.map(({ name, before, after }) => ({
        what: name,
        before: String(before),
        after: String(after),
      }));
    case 'administrators': {
      const [before, after] = [administrationText(action.before), administrationText(action.after)];
      return [{ what: 'administrators', before, after }];
    }
    case 'protocolVersion': {
      const after = `${action.version} from height ${action.height} on`;
      return [{ what: 'protocol version', before: String(action.before), after }];
    }
    default:
      return [memberChange(system, action, open)];
  }
}

export function presentProposal(
  system: SystemState,
  proposal: Proposal,
  headHeight: number,
): PresentedProposal {
  const { number, title, proposer, height, expiresHeight, closedHeight, ballots } = proposal;
  const { approvals, rejections, outstanding, threshold } = tally(system, ballots);
  const status = isExpired(proposal, headHeight) ? 'expired' : proposal.status;
  return {
    proposal: number,
    title,
    proposer,
    status,
    reason: status === 'failed' ? outcomeName(proposal.reason) : null,
    height,
    expiresHeight,
    closedHeight: proposal.status === 'open' ? null : closedHeight,
    approvals,
    rejections,
    outstanding,
    threshold,
    ballots: ballots.map(({ member, approve, height: at }) => ({ member, approve, height: at })),
    changes: proposal.actions.flatMap(action => changesOf(system, action, proposal.status === 'open')),
  };
}
