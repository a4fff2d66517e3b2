import { z } from 'zod';
import { fromHex, toHex } from '../core/base/bytes.ts';
import type { MemberId } from '../core/base/ids.ts';
import { isMemberId } from '../core/base/ids.ts';
import { checkGenesis } from '../core/ledger/genesis.ts';
import type { Genesis, Parameters } from '../core/types/state.ts';
import { OperatingError } from '../ports/lifecycle.ts';

/** What `phaseline genesis` writes into a new file. */
export const DEFAULT_PARAMETERS: Parameters = {
  blockTransactionsMax: 2_000,
  blockBytesMax: 8 * 1024 * 1024,
  transactionBytesMax: 1024 * 1024,
  replayWindowBlocks: 4_096,
  memberTransactionsPerBlockMax: 2_000,
  memberBytesPerBlockMax: 8 * 1024 * 1024,
  clockDriftMsMax: 10_000,
  checkpointIntervalBlocks: 64,
  windowBlocks: 128,
  viewTimeoutMs: 600,
  viewTimeoutMsMax: 20_000,
  rotationBlocks: 0,
};

const key = z
  .string()
  .regex(/^[0-9a-f]{66}$/, 'a P-256 key is 33 bytes in lower-case hexadecimal')
  .transform(text => fromHex(text)!);
const name = z
  .string()
  .refine(isMemberId, 'a name is a-z, 0-9 and -, starts with a letter and has at most 32 characters');
const peerId = z.string();

/** All of them: a value that a program adds by itself would change the chain id with the program. Ranges: `checkGenesis`. */
const parameter = z.number({
  error: ({ input }) => (input === undefined ? 'is missing; every parameter stands in the file' : undefined),
});
const parametersSchema = z.strictObject({
  blockTransactionsMax: parameter,
  blockBytesMax: parameter,
  transactionBytesMax: parameter,
  replayWindowBlocks: parameter,
  memberTransactionsPerBlockMax: parameter,
  memberBytesPerBlockMax: parameter,
  clockDriftMsMax: parameter,
  checkpointIntervalBlocks: parameter,
  windowBlocks: parameter,
  viewTimeoutMs: parameter,
  viewTimeoutMsMax: parameter,
  rotationBlocks: parameter,
});

const genesisSchema = z.strictObject({
  name: z.string(),
  time: z.iso.datetime(),
  parameters: parametersSchema,
  validators: z.array(z.strictObject({ name, publicKey: key, peerId })),
  administrators: z.array(name),
  administratorThreshold: z.number().int(),
  members: z.array(
    z.strictObject({
      id: name,
      name: z.string(),
      signingKey: key,
      sealingKey: key,
      peerIds: z.array(peerId),
    }),
  ),
});

/** @throws OperatingError `bad_genesis` that names what is wrong; every kind of node refuses the same files */
export function parseGenesis(text: string, source: string): Genesis {
  const fail = (detail: string): never => {
    throw new OperatingError(
      'bad_genesis',
      `${source}: ${detail}`,
      'Ask your consortium for its genesis.json.',
    );
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    return fail(`not JSON (${(cause as Error).message})`);
  }
  const parsed = genesisSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    return fail(`${issue.path.join('.') || 'file'}: ${issue.message}`);
  }
  const { time, ...rest } = parsed.data;
  const genesis: Genesis = {
    ...rest,
    administrators: rest.administrators as MemberId[],
    members: rest.members.map(member => ({ ...member, id: member.id as MemberId })),
    timeMs: Date.parse(time),
  };
  const fault = checkGenesis(genesis);
  return fault === null ? genesis : fail(fault.detail);
}

export function formatGenesis(genesis: Genesis): string {
  const { timeMs, validators, members, ...rest } = genesis;
  const document = {
    name: rest.name,
    time: new Date(timeMs).toISOString(),
    parameters: rest.parameters,
    validators: validators.map(validator => ({ ...validator, publicKey: toHex(validator.publicKey) })),
    administrators: rest.administrators,
    administratorThreshold: rest.administratorThreshold,
    members: members.map(member => ({
      ...member,
      signingKey: toHex(member.signingKey),
      sealingKey: toHex(member.sealingKey),
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
