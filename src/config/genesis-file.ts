import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { fromHex, toHex } from '../core/base/bytes.ts';
import type { MemberId } from '../core/base/ids.ts';
import { isMemberId } from '../core/base/ids.ts';
import { LIMITS } from '../core/types/limits.ts';
import type { Genesis, Parameters } from '../core/types/state.ts';
import { OperatingError } from '../ports/lifecycle.ts';

/** What a consortium starts with when its genesis file names nothing else. */
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
};

const count = (most: number) => z.number().int().min(1).max(most);
const key = z
  .string()
  .regex(/^[0-9a-f]{66}$/, 'a P-256 key is 33 bytes in lower-case hexadecimal')
  .transform(text => fromHex(text)!);
const name = z
  .string()
  .refine(isMemberId, 'a name is a-z, 0-9 and -, starts with a letter and has at most 32 characters');
const peerId = z.string().min(1).max(LIMITS.peerIdBytes);

const parametersSchema = z.strictObject({
  blockTransactionsMax: count(LIMITS.blockEntries),
  blockBytesMax: count(64 * 1024 * 1024),
  transactionBytesMax: count(LIMITS.transactionBytes),
  replayWindowBlocks: count(10_000_000),
  memberTransactionsPerBlockMax: count(LIMITS.blockEntries),
  memberBytesPerBlockMax: count(64 * 1024 * 1024),
  clockDriftMsMax: count(3_600_000),
  checkpointIntervalBlocks: count(10_000),
  windowBlocks: count(20_000),
  viewTimeoutMs: count(3_600_000),
  viewTimeoutMsMax: count(3_600_000),
});

const genesisSchema = z.strictObject({
  name: z.string().min(1).max(LIMITS.labelBytes),
  time: z.iso.datetime(),
  parameters: parametersSchema.partial().default({}),
  validators: z
    .array(z.strictObject({ name, publicKey: key, peerId }))
    .min(1)
    .max(LIMITS.validatorsMax),
  administrators: z.array(name).min(1).max(LIMITS.administratorsMax),
  administratorThreshold: z.number().int().min(1),
  members: z.array(
    z.strictObject({
      id: name,
      name: z.string().min(1).max(LIMITS.memberNameBytes),
      signingKey: key,
      sealingKey: key,
      peerIds: z.array(peerId).max(LIMITS.peerIdsPerMember),
    }),
  ),
});

function duplicateOf(values: readonly string[]): string | null {
  return values.find((value, index) => values.indexOf(value) !== index) ?? null;
}

/** Cross-checks that a schema cannot say; the answer names the object. */
function genesisFault(genesis: Genesis): string | null {
  const members = genesis.members.map(member => member.id);
  const peers = [
    ...genesis.validators.map(v => v.peerId),
    ...genesis.members.flatMap(member => member.peerIds),
  ];
  const twice =
    duplicateOf(members) ??
    duplicateOf(genesis.validators.map(validator => validator.name)) ??
    duplicateOf(peers);
  if (twice !== null) return `"${twice}" stands there twice`;
  const stranger = genesis.administrators.find(id => !members.includes(id));
  if (stranger !== undefined) return `administrator "${stranger}" is not among the members`;
  if (genesis.administratorThreshold > genesis.administrators.length) {
    return `administratorThreshold ${genesis.administratorThreshold} is above the ${genesis.administrators.length} administrators`;
  }
  if (genesis.parameters.windowBlocks < 2 * genesis.parameters.checkpointIntervalBlocks) {
    return 'windowBlocks must be at least twice checkpointIntervalBlocks';
  }
  return null;
}

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
  const { time, parameters, ...rest } = parsed.data;
  const given = Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined));
  const genesis: Genesis = {
    ...rest,
    administrators: rest.administrators as MemberId[],
    members: rest.members.map(member => ({ ...member, id: member.id as MemberId })),
    timeMs: Date.parse(time),
    parameters: { ...DEFAULT_PARAMETERS, ...given },
  };
  const fault = genesisFault(genesis);
  return fault === null ? genesis : fail(fault);
}

export async function readGenesis(path: string): Promise<Genesis> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new OperatingError(
      'no_genesis',
      `cannot read ${path}: ${cause.code}`,
      'Copy genesis.json of the consortium there.',
      cause,
    );
  });
  return parseGenesis(text, path);
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
