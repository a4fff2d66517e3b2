import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FileStatusAnswer } from '../commands/file-care.ts';
import type { PutAnswer, RecordAnswer } from '../commands/record.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { short } from '../session.ts';
import { Narrator } from './narrator.ts';
import type { DevNetwork } from './network.ts';

export interface DemoInput {
  readonly network: DevNetwork;
  readonly io: Io;
  readonly members: readonly string[];
  /** The file that alice puts into the first phase; null for one of the repository. */
  readonly file: string | null;
  readonly signal: AbortSignal;
}

/** alice, bob and carol */
const MEMBERS_NEEDED = 3;
const DEFAULT_FILE = fileURLToPath(new URL('../../../README.md', import.meta.url));

interface Flow {
  readonly project: string;
  readonly intake: string;
  readonly review: string;
  readonly decision: string;
}

interface Story {
  readonly tell: Narrator;
  readonly out: string;
  readonly file: string;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function setUp({ tell }: Story, network: DevNetwork, members: readonly string[]): Promise<Flow> {
  tell.step('The management side registers the members and designs the flow');
  for (const name of members) await tell.run('member', 'register', name);
  await network.participantsReady();
  const { projects } = await tell.ask<{ projects: unknown[] }>('project', 'list');
  const number = projects.length + 1;
  const label = `Building permit ${number}`;
  const project = await tell.run<{ project: string; height: number }>('project', 'create', label);
  const add = async (name: string, ...words: string[]) => {
    const words_ = ['phase', 'add', name, '--project', label, '--open', ...words];
    return (await tell.run<{ phase: string }>(...words_)).phase;
  };
  const suffix = number === 1 ? '' : `-${number}`;
  const [intake, review, decision] = [`intake${suffix}`, `review${suffix}`, `decision${suffix}`];
  await add(intake, '--participant', 'alice:contributor', '--participant', 'bob:contributor');
  await add(
    review,
    '--after',
    intake,
    '--participant',
    'bob:contributor',
    '--participant',
    'carol:contributor',
  );
  await add(decision, '--after', review, '--participant', 'carol:contributor');
  tell.say(
    `project ${short(project.project)}: ${intake} (alice, bob) → ${review} (bob, carol) → ${decision} (carol)`,
  );
  return { project: label, intake, review, decision };
}

/** Waits until the file has a copy with each participant. */
function whole(
  tell: Narrator,
  as: string,
  phase: string,
  cid: string,
  copies: number,
): Promise<FileStatusAnswer> {
  return tell.until(`${copies} copies of ${cid}`, async () => {
    const { files } = await tell.ask<{ files: FileStatusAnswer[] }>(
      '--as',
      as,
      'file',
      'status',
      '--phase',
      phase,
    );
    return files.find(entry => entry.file.cid === cid && entry.copies >= copies) ?? null;
  });
}

async function putRecord({ tell, file }: Story, flow: Flow): Promise<PutAnswer> {
  tell.step('Alice puts a record with a real file into the first phase');
  const put = await tell.run<PutAnswer>(
    ...['--as', 'alice', 'record', 'put', '--phase', flow.intake, '--type', 'application'],
    ...['--text', 'Please permit my building', '--file', file],
  );
  const { cid } = put.files[0]!;
  const status = await whole(tell, 'alice', flow.intake, cid, 2);
  tell.say(`committed by PBFT at height ${put.height}, transaction ${put.id}`);
  tell.say(
    `CID ${cid}, ${status.copies} of ${status.copiesTarget} copies: ${status.holders.map(h => h.member).join(', ')}`,
  );
  return put;
}

async function readBack({ tell, file, out }: Story, flow: Flow, put: PutAnswer): Promise<void> {
  tell.step('Bob reads the record and the file back');
  const record = await tell.until('the record at bob', async () => {
    const { records } = await tell.ask<{ records: RecordAnswer[] }>(
      '--as',
      'bob',
      'record',
      'list',
      '--phase',
      flow.intake,
    );
    return records.find(entry => entry.id === put.id) ?? null;
  });
  tell.check(record.content?.text === 'Please permit my building', 'bob cannot read the record');
  await tell.run('--as', 'bob', 'record', 'get', put.id, '--phase', flow.intake);
  await tell.run('--as', 'bob', 'record', 'verify', put.id, '--phase', flow.intake);
  const copy = join(out, `bob-${basename(file)}`);
  await tell.run('--as', 'bob', 'file', 'get', put.files[0]!.cid, '--phase', flow.intake, '--out', copy);
  const [original, received] = [await readFile(file), await readFile(copy)];
  tell.check(original.equals(received), 'the file came back changed');
  tell.say(
    `"${record.content?.text}", by ${record.author}; the file is the same byte for byte (SHA-256 ${short(sha256(received))}…)`,
  );
}

interface ProbeAnswer {
  readonly probes: readonly { readonly way: string; readonly answer: string; readonly reason: string }[];
}

async function refuseCarol(
  { tell, out }: Story,
  flow: Flow,
  intakeId: string,
  put: PutAnswer,
): Promise<void> {
  tell.step('Carol is not in the first phase: she is refused by every way she has');
  const { cid } = put.files[0]!;
  await tell.refused('--as', 'carol', 'record', 'list', '--phase', intakeId);
  await tell.refused('--as', 'carol', 'record', 'get', put.id, '--phase', intakeId);
  await tell.refused('--as', 'carol', 'file', 'get', cid, '--phase', intakeId, '--out', join(out, 'carol'));
  await tell.refused('--as', 'carol', 'record', 'put', '--phase', intakeId, '--text', 'let me in');
  tell.say('and past her own node, straight to every other node:');
  const { probes } = await tell.run<ProbeAnswer>(
    '--as',
    'carol',
    'doctor',
    '--privacy',
    '--phase',
    intakeId,
    '--cid',
    cid,
  );
  for (const probe of probes) tell.say(`  ${probe.way}: ${probe.answer} (${probe.reason})`);
  tell.check(probes.length > 0 && probes.every(probe => probe.answer === 'refused'), 'a node served carol');
  tell.check(flow.intake !== '', 'the phase exists');
}

async function handOver({ tell, out, file }: Story, flow: Flow, put: PutAnswer): Promise<void> {
  tell.step('The first phase is handed over to the second: carol sees that and only that');
  await tell.run(
    '--as',
    'alice',
    'record',
    'put',
    '--phase',
    flow.intake,
    '--type',
    'note',
    '--text',
    'internal remark',
  );
  await tell.run('phase', 'handover', flow.intake, flow.review, '--record', put.id);
  const records = await tell.until('the record at carol', async () => {
    const answer = await tell.ask<{ records: RecordAnswer[] }>(
      '--as',
      'carol',
      'record',
      'list',
      '--phase',
      flow.review,
    );
    return answer.records.length > 0 ? answer.records : null;
  });
  await tell.run('--as', 'carol', 'record', 'list', '--phase', flow.review);
  tell.check(
    records.length === 1 && records[0]!.author === 'alice',
    'carol sees something else than was handed over',
  );
  const { cid } = put.files[0]!;
  await whole(tell, 'carol', flow.review, cid, 2);
  const copy = join(out, `carol-${basename(file)}`);
  await tell.run('--as', 'carol', 'file', 'get', cid, '--phase', flow.review, '--out', copy);
  tell.check((await readFile(copy)).equals(await readFile(file)), 'the handed-over file came back changed');
  tell.say(
    `carol reads "${records[0]!.content?.text}" by ${records[0]!.author}, and its file; not the internal remark`,
  );
}

async function removeBob({ tell }: Story, flow: Flow): Promise<void> {
  tell.step('Bob is removed from the second phase while it runs');
  const { epoch } = await tell.run<{ epoch: number }>('participant', 'remove', 'bob', '--phase', flow.review);
  tell.say(`the removal opened key epoch ${epoch} in the same transaction`);
  const put = await tell.until('carol sees the removal', async () => {
    const { participants } = await tell.ask<{ participants: { member: string }[] }>(
      '--as',
      'carol',
      'phase',
      'show',
      flow.review,
    );
    return participants.some(entry => entry.member === 'bob') ? null : true;
  });
  tell.check(put, 'bob is still there');
  const later = await tell.run<PutAnswer>(
    '--as',
    'carol',
    'record',
    'put',
    '--phase',
    flow.review,
    '--text',
    'bob must not read this',
  );
  await tell.refused('--as', 'bob', 'record', 'get', later.id, '--phase', flow.review);
  const reviewId = (await tell.ask<{ id: string }>('--as', 'carol', 'phase', 'show', flow.review)).id;
  const { probes } = await tell.run<ProbeAnswer>(
    ...['--as', 'bob', 'doctor', '--privacy', '--phase', reviewId, '--position', String(later.position)],
  );
  for (const probe of probes) tell.say(`  ${probe.way}: ${probe.answer} (${probe.reason})`);
  tell.check(
    probes.length > 0 && probes.every(probe => probe.answer === 'refused'),
    'a node served bob after his removal',
  );
  const { records } = await tell.ask<{ records: RecordAnswer[] }>(
    '--as',
    'bob',
    'record',
    'list',
    '--phase',
    flow.review,
  );
  tell.check(
    records.every(entry => entry.id !== later.id),
    'bob holds what was written after his removal',
  );
  tell.say(`bob still has the ${records.length} record(s) from his time in the phase, and nothing later`);
}

async function dossier({ tell, out }: Story, flow: Flow, network: DevNetwork): Promise<void> {
  tell.step('A dossier of the phase is verified offline, with every node stopped');
  const file = join(out, 'review.dossier');
  await tell.run('--as', 'carol', 'dossier', 'export', '--phase', flow.review, '--out', file);
  await network.stop();
  tell.say('all nodes are stopped');
  const genesis = join(network.dir, 'genesis.json');
  const verdict = await tell.run<{ checks: unknown[] }>('dossier', 'verify', file, '--genesis', genesis);
  tell.say(`${verdict.checks.length} checks, all passed`);
  const bytes = await readFile(file);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = bytes[at]! ^ 1;
  const forged = join(out, 'forged.dossier');
  await writeFile(forged, bytes);
  tell.say(`now with one bit of byte ${at} changed:`);
  await tell.refused('dossier', 'verify', forged, '--genesis', genesis);
}

/** @throws CommandFailure when the demo cannot be told with this file or these members; asked before anything starts */
export async function checkDemo(io: Io, file: string | null, participants: number): Promise<void> {
  if (participants < MEMBERS_NEEDED) {
    const hint = 'Start it with --participants 3.';
    throw new CommandFailure(EXIT.usage, 'the demo needs alice, bob and carol', hint);
  }
  const path = storyFile(io, file);
  const info = await stat(path).catch(() => null);
  if (info?.isFile()) return;
  throw new CommandFailure(EXIT.usage, `cannot read ${path}`, 'Give --file the path of a file.');
}

function storyFile(io: Io, file: string | null): string {
  return file === null ? DEFAULT_FILE : resolve(io.directory, file);
}

/** The main job, end to end, on real processes; throws at the first thing that does not hold. */
export async function runDemo({ network, io, members, file, signal }: DemoInput): Promise<void> {
  await checkDemo(io, file, members.length);
  const out = join(network.dir, 'demo', String(Date.now()));
  await mkdir(out, { recursive: true });
  const story: Story = { tell: new Narrator(io, network.dir, signal), out, file: storyFile(io, file) };
  const flow = await setUp(story, network, members);
  const intakeId = (await story.tell.ask<{ id: string }>('--as', 'alice', 'phase', 'show', flow.intake)).id;
  const put = await putRecord(story, flow);
  await readBack(story, flow, put);
  await refuseCarol(story, flow, intakeId, put);
  await handOver(story, flow, put);
  await removeBob(story, flow);
  await dossier(story, flow, network);
  io.out('');
  io.out('the demo passed: every step held');
}
