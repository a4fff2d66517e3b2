import type { Command } from 'commander';
import { RpcError } from '../../client/rpc-error.ts';
import type { PhaseStanding } from '../../rpc/admin-api.ts';
import { ERRORS } from '../../rpc/errors.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { type CellReport, cellsOf, type Own, type Probe } from '../privacy-cells.ts';
import { openSession, type Session } from '../session.ts';
import { checkKeys } from './custody.ts';
import type { NodeStatusAnswer } from './status.ts';

interface DoctorOptions {
  readonly privacy?: boolean;
  readonly keys?: boolean;
  readonly phase?: string;
  readonly cid?: string;
  readonly position?: number;
}

interface Members {
  readonly members: readonly { readonly id: string; readonly peerIds: readonly string[] }[];
}

/** A node mounts `admin_` methods only when its configuration says so. */
async function consensusNodes(session: Session): Promise<readonly { name: string; peerId: string }[]> {
  try {
    const answer = await session.call<{ validators: { name: string; peerId: string }[] }>('admin_sources');
    return answer.validators;
  } catch (error) {
    if (!(error instanceof RpcError) || error.code !== ERRORS.method_not_found.code) throw error;
    throw new CommandFailure(
      EXIT.error,
      'this node does not probe others: the admin methods are off',
      'Set "admin = true" under [rpc] in the config.toml of the member\u2019s node, start it again, then repeat.',
    );
  }
}

async function probeAll(session: Session, options: DoctorOptions, position: number): Promise<Probe[]> {
  const probes: Probe[] = [];
  const ask = async (
    way: string,
    peer: string,
    what: { readonly kind: Probe['kind']; readonly from?: number; readonly cid?: string },
  ) => {
    const asked = { peer, phase: options.phase, ...what };
    const { answer, reason } = await session.call<Probe>('admin_probe', asked);
    probes.push({ way, kind: what.kind, answer, reason });
  };
  for (const { name, peerId } of await consensusNodes(session)) {
    await ask(`log from ${name}`, peerId, { kind: 'log', from: position });
  }
  if (options.cid === undefined) return probes;
  const { name: self } = await session.call<NodeStatusAnswer>('node_status');
  const { members } = await session.call<Members>('member_list');
  for (const member of members.filter(entry => entry.id !== self)) {
    for (const peer of member.peerIds)
      await ask(`file from ${member.id}`, peer, { kind: 'file', cid: options.cid });
  }
  return probes;
}

function showReport(
  session: Session,
  own: Own,
  probes: readonly Probe[],
  cells: readonly CellReport[],
): void {
  session.show(
    { standing: own.standing, cells, probes },
    {
      text: `this member is ${own.standing === 'removed' ? 'a removed participant' : own.standing} to the phase`,
      head: ['SEES', 'EXPECTED', 'FOUND', 'BY'],
      rows: [
        ...cells.map(cell => [cell.thing, cell.expected, cell.observed ?? 'not tried', cell.by]),
        ...probes.map(probe => [probe.way, '', probe.answer, probe.reason]),
      ],
    },
  );
}

async function doctor(io: Io, options: DoctorOptions, command: Command): Promise<void> {
  if (options.keys === true) return checkKeys(await openSession(io, command, 'manager'));
  if (options.privacy !== true || options.phase === undefined) {
    throw new CommandFailure(
      EXIT.usage,
      'doctor needs --keys, or --privacy and --phase',
      'phaseline doctor --help',
    );
  }
  const session = await openSession(io, command, null);
  // before all else: it says when the admin methods are off
  await consensusNodes(session);
  const own = await session.call<PhaseStanding>('admin_standing', { phase: options.phase });
  if (own.standing === 'owner') {
    const hint = 'Run it as a member that must not read the phase: --as NAME.';
    throw new CommandFailure(EXIT.usage, 'this member owns the project: it sees what its custody says', hint);
  }
  if (own.standing === 'holder') {
    const hint = 'docs/privacy.md tells what that shows. Run it as a member that must not read the phase.';
    throw new CommandFailure(EXIT.usage, 'this member holds a share of the recovery key', hint);
  }
  const member = { ...own, standing: own.standing };
  const probes = await probeAll(session, options, options.position ?? own.end ?? 0);
  const cells = cellsOf(member, probes);
  showReport(session, member, probes, cells);
  const wrong = cells.filter(({ expected, observed }) => observed !== null && observed !== expected);
  if (wrong.length > 0) {
    const list = wrong.map(cell => `${cell.thing} (${cell.by})`).join('; ');
    throw new CommandFailure(EXIT.unhealthy, `this member sees what it must not: ${list}`);
  }
}

export function addDoctorCommand(program: Command, io: Io): void {
  program
    .command('doctor')
    .description('check the keys of phases, or what a member gets of one past its own node (docs/privacy.md)')
    .option(
      '--keys',
      'whether somebody lacks keys of the phases that this node reads: what waits, who complains',
    )
    .option('--privacy', 'ask every consensus node for the log, and every other member’s node for the file')
    .option('--phase <id>', 'whole id of a phase that the member must not read, or not any more')
    .option('--cid <cid>', 'a file of that phase')
    .option(
      '--position <n>',
      'first position of the log to ask for; else where its time ended',
      wholeNumber(0),
    )
    .action((options: DoctorOptions, command: Command) => doctor(io, options, command));
}
