import type { Command } from 'commander';
import { RpcError } from '../../client/rpc-error.ts';
import { ERRORS } from '../../rpc/errors.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { openSession, type Session } from '../session.ts';
import type { NodeStatusAnswer } from './status.ts';

interface DoctorOptions {
  readonly privacy?: boolean;
  readonly phase?: string;
  readonly cid?: string;
  readonly position: number;
}

export interface Probe {
  readonly way: string;
  readonly answer: 'served' | 'refused' | 'unreachable';
  readonly reason: string;
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

async function probeAll(session: Session, options: DoctorOptions): Promise<Probe[]> {
  const probes: Probe[] = [];
  const ask = async (way: string, peer: string, what: object) => {
    const { answer, reason } = await session.call<Probe>('admin_probe', {
      peer,
      phase: options.phase,
      ...what,
    });
    probes.push({ way, answer, reason });
  };
  for (const { name, peerId } of await consensusNodes(session)) {
    await ask(`log from ${name}`, peerId, { kind: 'log', from: options.position });
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

async function doctor(io: Io, options: DoctorOptions, command: Command): Promise<void> {
  if (options.privacy !== true || options.phase === undefined) {
    throw new CommandFailure(EXIT.usage, 'doctor needs --privacy and --phase', 'phaseline doctor --help');
  }
  const session = await openSession(io, command, null);
  const probes = await probeAll(session, options);
  session.show(
    { probes },
    { head: ['WAY', 'ANSWER', 'REASON'], rows: probes.map(probe => [probe.way, probe.answer, probe.reason]) },
  );
  const served = probes.filter(probe => probe.answer === 'served');
  if (served.length > 0) {
    throw new CommandFailure(EXIT.unhealthy, `served: ${served.map(probe => probe.way).join(', ')}`);
  }
}

export function addDoctorCommand(program: Command, io: Io): void {
  program
    .command('doctor')
    .description(
      'check what a member gets past its own node: every log and file, asked from every other node',
    )
    .option('--privacy', 'ask every consensus node for the log, and every other member’s node for the file')
    .option('--phase <id>', 'whole id of a phase that the member must not read')
    .option('--cid <cid>', 'a file of that phase')
    .option('--position <n>', 'first position of the log to ask for', wholeNumber(0), 0)
    .action((options: DoctorOptions, command: Command) => doctor(io, options, command));
}
