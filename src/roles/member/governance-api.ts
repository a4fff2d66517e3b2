import type { GovernanceApi } from '../../rpc/governance-api.ts';
import type { MemberNode } from './member-node.ts';

/** The consortium's own affairs from verified data; proposals and ballots are signed with this member's key. */
export function createGovernanceApi({ light, transport, records }: MemberNode): GovernanceApi {
  return {
    system: () => light.system(),
    headHeight: () => light.head().height,
    reachedPeers: () =>
      transport
        .peers()
        .filter(({ connected }) => connected)
        .map(({ peer }) => peer),
    signedHead: () => {
      const { proof } = light.trust();
      const signatures = proof?.certificate.signatures ?? [];
      return signatures.flatMap(({ signer }) => proof?.set.validators[signer]?.name ?? []);
    },
    createProposal: input => records.createProposal(input),
    voteOnProposal: (proposal, approve) => records.voteOnProposal(proposal, approve),
    withdrawProposal: proposal => records.withdrawProposal(proposal),
  };
}
