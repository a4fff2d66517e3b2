import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { openSession, type Session } from '../session.ts';

const PHASE = 'label, id, start of the id, or project/phase';
/** How long a command waits for the node of a steward: its turn comes within some seconds, and a block after that. */
const KEYS_WAIT_MS = 15_000;
const POLL_MS = 250;
const HOLDERS_MAX = 32;

interface Done {
  readonly height: number;
}

/** What of a phase tells whose keys open what. */
export interface KeysAnswer {
  readonly id: string;
  readonly label: string | null;
  readonly owner: string;
  readonly frozen: boolean;
  readonly custody: string;
  readonly participants: readonly {
    readonly member: string;
    readonly roles: readonly string[];
    readonly fromEpoch: number;
    readonly heldFrom: number;
  }[];
  readonly epochs: readonly { readonly number: number; readonly opener: string }[];
  readonly openEpochs: readonly number[];
  readonly missingEpochs: readonly number[];
  readonly complaints: readonly {
    readonly member: string;
    readonly reason: string;
    readonly height: number;
  }[];
  readonly recovery: {
    readonly threshold: number;
    readonly holders: readonly string[];
    readonly ended: boolean;
  } | null;
}

/** Who lacks keys that it was granted. */
function lacking({ participants }: KeysAnswer, member: string | null) {
  return participants.filter(
    entry => entry.heldFrom > entry.fromEpoch && (member === null || entry.member === member),
  );
}

/** Whose node opens the next epoch by itself. */
function stewardsOf({ participants, owner }: KeysAnswer, except: string | null): string[] {
  const led = participants.filter(entry => entry.roles.includes('steward') || entry.member === owner);
  return led.map(entry => entry.member).filter(member => member !== except);
}

/**
 * After a change by who holds no keys: waits until the node of a steward has opened the next epoch.
 * @param member who was granted keys; null where nobody was
 * @returns the phase, and whether everything is sealed
 */
export async function awaitKeys(
  session: Session,
  phase: string,
  member: string | null,
): Promise<{ readonly phase: KeysAnswer; readonly sealed: boolean; readonly stewards: readonly string[] }> {
  const deadline = Date.now() + KEYS_WAIT_MS;
  for (;;) {
    const answer = await session.call<KeysAnswer>('phase_get', { phase });
    const sealed = !answer.frozen && (member === null || lacking(answer, member).length === 0);
    if (sealed || Date.now() >= deadline || answer.custody === 'manager') {
      return { phase: answer, sealed, stewards: stewardsOf(answer, member) };
    }
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
  }
}

/** The deed is done and the keys are not: whose node has to be online. */
export function keysWait(phase: string, stewards: readonly string[]): CommandFailure {
  const hint =
    stewards.length === 0
      ? 'Make a participant a steward: phaseline participant role MEMBER contributor,steward.'
      : `The node of a steward does it by itself once it is online: ${stewards.join(', ')}.`;
  return new CommandFailure(EXIT.waiting, `"${phase}" waits for a new key epoch`, hint);
}

interface RecoveryAnswer {
  readonly recovery: {
    readonly threshold: number;
    readonly fromEpoch: number;
    readonly holders: readonly { readonly member: string; readonly active: boolean }[];
    readonly asks: readonly {
      readonly member: string;
      readonly height: number;
      readonly offers: readonly string[];
    }[];
    readonly holdsShare: boolean;
    readonly recovered: boolean;
    readonly wrongOffers: readonly string[];
  } | null;
}

const collect = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value];

async function showRecovery(io: Io, phase: string, command: Command): Promise<void> {
  const session = await openSession(io, command, 'manager');
  const answer = await session.call<RecoveryAnswer>('phase_recovery', { phase });
  const { recovery } = answer;
  if (recovery === null) {
    session.show(answer, { text: `"${phase}" has no recovery shares` });
    return;
  }
  const { threshold, holders, fromEpoch, asks } = recovery;
  session.show(answer, {
    pairs: [
      ['shares', `${threshold} of ${holders.length} open it from key epoch ${fromEpoch} on`],
      ...holders.map(({ member, active }) => ['holder', `${member}${active ? '' : ', revoked'}`] as const),
      ...asks.map(
        ask =>
          [
            'asks',
            `${ask.member} since height ${ask.height}: ${ask.offers.length} of ${threshold} offered (${ask.offers.join(', ') || 'nobody yet'})`,
          ] as const,
      ),
      ...recovery.wrongOffers.map(member => ['no share', `what ${member} offered is none`] as const),
      [
        'this node',
        recovery.recovered ? 'has the recovery key' : recovery.holdsShare ? 'holds a share' : 'has no share',
      ],
    ],
  });
}

function addRecovery(phase: Command, io: Io): void {
  const recovery = phase
    .command('recovery')
    .description('shares of the key that opens the history of a phase');
  recovery
    .command('set')
    .description('share it among members, of whom some together open the phase; replaces the shares before')
    .argument('<phase>', PHASE)
    .requiredOption('--holder <member>', 'who gets a share; need not be in the phase (repeat)', collect)
    .requiredOption('--threshold <k>', 'shares that open the phase', wholeNumber(2, HOLDERS_MAX))
    .action(async (name: string, given: { holder: string[]; threshold: number }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const { holder: holders, threshold } = given;
      const done = await session.call<Done>('phase_recoverySet', { phase: name, threshold, holders });
      session.show(done, {
        text: `${threshold} of ${holders.length} shares open "${name}", from height ${done.height}`,
      });
    });
  recovery
    .command('show')
    .description('who holds shares, who asks for them, who has offered')
    .argument('<phase>', PHASE)
    .action((name: string, _: object, command: Command) => showRecovery(io, name, command));
  recovery
    .command('ask')
    .description('ask the holders for their shares, as a participant that lacks keys')
    .argument('<phase>', PHASE)
    .action(async (name: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const done = await session.call<Done>('phase_recoveryAsk', { phase: name });
      session.show(done, { text: `asked for the keys of "${name}" at height ${done.height}` });
    });
  recovery
    .command('offer')
    .description('give your share to a participant that asks')
    .argument('<phase>', PHASE)
    .argument('<member>', 'who asks')
    .action(async (name: string, member: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const done = await session.call<Done>('phase_recoveryOffer', { phase: name, to: member });
      session.show(done, { text: `offered ${member} a share of "${name}" at height ${done.height}` });
    });
}

/** What is not as it should be with the keys of a phase; nothing where all is well. */
function faultsOf(phase: KeysAnswer): string[] {
  const faults: string[] = [];
  const stewards = stewardsOf(phase, null).join(', ') || 'nobody';
  if (phase.frozen) faults.push(`frozen until a new key epoch; stewards: ${stewards}`);
  const opener = phase.epochs.at(-1)?.opener;
  for (const { member, reason, height } of phase.complaints) {
    faults.push(`${member} complains at height ${height} about what ${opener} sealed (${reason})`);
  }
  for (const { member, fromEpoch, heldFrom } of lacking(phase, null)) {
    faults.push(`${member} waits for the keys of epochs ${fromEpoch} to ${heldFrom - 1}`);
  }
  if (phase.missingEpochs.length > 0) {
    const openers = [...new Set(phase.epochs.slice(phase.missingEpochs[0]).map(epoch => epoch.opener))];
    const numbers = phase.missingEpochs.join(', ');
    faults.push(
      `the keys of epochs ${numbers} were given to you, says the chain, and are not here; openers: ${openers}`,
    );
  }
  const { recovery } = phase;
  if (recovery !== null && recovery.holders.length < recovery.threshold) {
    faults.push(`${recovery.holders.length} holders of shares are left, ${recovery.threshold} would open it`);
  }
  if (recovery?.ended)
    faults.push('later key epochs need other recovery shares: phaseline phase recovery set');
  return faults;
}

/** `phaseline doctor --keys`. @throws exit code 5 where something is wrong */
export async function checkKeys(session: Session): Promise<void> {
  const { phases } = await session.call<{ phases: KeysAnswer[] }>('phase_list', { project: null });
  const found = phases.flatMap(phase =>
    faultsOf(phase).map(fault => ({ phase: phase.label ?? phase.id, fault })),
  );
  session.show(
    { phases: phases.length, faults: found },
    found.length === 0
      ? { text: `the keys of ${phases.length} phases are as they should be` }
      : { head: ['PHASE', 'FAULT'], rows: found.map(entry => [entry.phase, entry.fault]) },
  );
  if (found.length > 0) {
    const hint = 'docs/operating.md tells what follows by itself, and what people do.';
    throw new CommandFailure(EXIT.unhealthy, `${found.length} faults of keys`, hint);
  }
}

export function addCustodyCommands(phase: Command, io: Io): void {
  phase
    .command('rotate')
    .description('open the next key epoch, as a steward or the owner who holds the keys')
    .argument('<phase>', PHASE)
    .option('--accept <member...>', 'its keys, which administrators replaced, are its own: you asked')
    .action(async (name: string, { accept }: { accept?: string[] }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const done = await session.call<Done>('phase_rotate', { phase: name, accept: accept ?? [] });
      session.show(done, { text: `opened a new key epoch of "${name}" at height ${done.height}` });
    });
  phase
    .command('complain')
    .description('tell the others on chain that the key for you does not open; nodes do it by themselves')
    .argument('<phase>', PHASE)
    .action(async (name: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const done = await session.call<Done>('phase_complain', { phase: name });
      session.show(done, { text: `complained about the keys of "${name}" at height ${done.height}` });
    });
  addRecovery(phase, io);
}
