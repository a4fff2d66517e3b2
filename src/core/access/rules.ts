import type { KindName } from '../types/operation.ts';
import { approvalRequest, approvalVote, approvalWithdraw } from './approvals.ts';
import { phaseCard, projectCard } from './cards.ts';
import { epochComplaint } from './complaints.ts';
import { epochRotate } from './epochs.ts';
import { evidence } from './evidence.ts';
import { flowChange } from './flow.ts';
import { phaseHandover } from './handover.ts';
import { memberRegister, memberRevoke, memberRotate } from './members.ts';
import { participantAdd, participantRemove, participantRole } from './participants.ts';
import { phaseAdd, phaseArchive, phaseClose, phaseOpen, phaseReopen, phaseSkip } from './phases.ts';
import { phasePolicy } from './policies.ts';
import { projectArchive, projectCreate } from './projects.ts';
import { proposalCreate, proposalVote, proposalWithdraw } from './proposals.ts';
import { filePurge, filePurgeAck } from './purges.ts';
import { fileReceipt } from './receipts.ts';
import { recordPut } from './records.ts';
import { recoveryAsk, recoveryOffer, recoveryShares } from './recovery.ts';
import type { Rule } from './rule.ts';
import { memberSuspend } from './suspension.ts';
import { memberUserAdd, memberUserRevoke } from './users.ts';

/** Every kind of transaction that this protocol version executes. */
export const RULES: { readonly [K in KindName]: Rule<K> } = {
  memberRegister,
  memberRotate,
  memberRevoke,
  memberUserAdd,
  memberUserRevoke,
  memberSuspend,
  projectCreate,
  projectArchive,
  projectCard,
  phaseAdd,
  phaseOpen,
  phaseClose,
  phaseCard,
  phaseHandover,
  participantAdd,
  participantRemove,
  participantRole,
  epochRotate,
  epochComplaint,
  recoveryShares,
  recoveryAsk,
  recoveryOffer,
  recordPut,
  fileReceipt,
  proposalCreate,
  proposalVote,
  proposalWithdraw,
  evidence,
  filePurge,
  filePurgeAck,
  flowChange,
  phaseReopen,
  phasePolicy,
  phaseArchive,
  phaseSkip,
  approvalRequest,
  approvalVote,
  approvalWithdraw,
};
