import type { RpcMethod } from '../../rpc/method.ts';
import type { ManagerApi } from '../api.ts';
import { memberJudged } from './member-judged.ts';

export const memberRevoke = ({ data, operations }: ManagerApi): RpcMethod =>
  memberJudged(
    data,
    'manager_memberRevoke',
    'Revokes a member for good; every phase it is in is frozen until the next key epoch.',
    (member, reason) => operations.revokeMember(member, reason),
  );
