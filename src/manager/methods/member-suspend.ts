import type { RpcMethod } from '../../rpc/method.ts';
import type { ManagerApi } from '../api.ts';
import { memberJudged } from './member-judged.ts';

export const memberSuspend = ({ data, operations }: ManagerApi): RpcMethod =>
  memberJudged(
    data,
    'manager_memberSuspend',
    'Suspends a member that is no administrator, at once: it may nothing and is served nothing of its phases until a ballot resumes it.',
    (member, reason) => operations.suspendMember(member, reason),
  );
