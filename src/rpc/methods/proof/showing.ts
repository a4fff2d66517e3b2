import { z } from 'zod';
import { ownKeyOf } from '../../../core/access/member-keys.ts';
import { fromHex } from '../../../core/base/bytes.ts';
import { isMemberId } from '../../../core/base/ids.ts';
import type { MemberReadApi } from '../../api.ts';
import { failure } from '../../errors.ts';
import type { Showing } from '../../proof-api.ts';

const FIELDS_MAX = 64;
const RECIPIENTS_MAX = 64;

/** Which parts of the records others get to see. */
export const showingParams = {
  payloads: z
    .boolean()
    .default(false)
    .meta({ description: 'with the contents that this node can read, for everybody who gets the file' }),
  recipients: z
    .array(z.string().min(1).max(128))
    .max(RECIPIENTS_MAX)
    .default([])
    .meta({ description: 'contents for these only: members, or sealing keys (66 hexadecimal characters)' }),
  disclose: z
    .array(z.string().min(1).max(256))
    .max(FIELDS_MAX)
    .default([])
    .meta({ description: 'fields for everybody: title, data.amount' }),
};

export interface ShowingGiven {
  readonly payloads: boolean;
  readonly recipients: readonly string[];
  readonly disclose: readonly string[];
}

function recipientKey(api: Pick<MemberReadApi, 'member'>, recipient: string): Uint8Array {
  const key = recipient.length === 66 ? fromHex(recipient) : null;
  if (key !== null) return key;
  const member = isMemberId(recipient) ? api.member(recipient) : null;
  if (member === null) {
    const detail = `${recipient} is neither a member nor a sealing key`;
    throw failure('not_found', 'unknown_member', detail, 'member_list shows the members.');
  }
  return ownKeyOf(member).key.sealingKey;
}

export function showingOf(api: Pick<MemberReadApi, 'member'>, given: ShowingGiven): Showing {
  const recipients = given.recipients.map(recipient => recipientKey(api, recipient));
  return { payloads: given.payloads, recipients, fields: given.disclose };
}
