import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { RpcError } from '../../src/client/rpc-error.ts';
import { Devnet } from './support/devnet.ts';
import { setUpPhase } from './support/flow.ts';
import { run } from './support/program.ts';
import { temporaryDirectory } from './support/temporary.ts';

const OK = 0;
const ERROR = 1;
const USAGE = 2;
const REFUSED = 3;
const CANNOT_CONNECT = 4;
const DOES_NOT_VERIFY = 5;
/** Above `transactionBytesMax` of the devnet's genesis. */
const OVERSIZED_CHARACTERS = 1_200_000;
const NOBODY = 'http://127.0.0.1:1';
const HEADER = 'case:concept:name,concept:name,org:group\n';

const cwd = temporaryDirectory();
const elsewhere = temporaryDirectory();
let devnet: Devnet;
let intake: string;
let draft: string;

beforeAll(async () => {
  devnet = await Devnet.start(join(cwd, 'net'), cwd);
  intake = await setUpPhase(devnet, 'House', 'intake');
  const closed = await setUpPhase(devnet, 'Shed', 'closed');
  await devnet.ask('phase', 'close', closed);
  const words = ['phase', 'add', 'draft', '--project', 'House', '--participant', 'alice:contributor'];
  draft = (await devnet.ask<{ phase: string }>(...words, '--participant', 'bob')).phase;
  await devnet.ask('phase', 'add', 'reading', '--project', 'House', '--participant', 'bob', '--open');
  await devnet.ask('--as', 'alice', 'record', 'put', '--phase', intake, '--text', 'hello');
});

interface Expected {
  readonly code: number;
  /** What the first line names. */
  readonly says: string | RegExp;
  /** What the second line advises; null where the first says it all. */
  readonly advises?: string | RegExp;
}

/** One or two lines: what was wrong, by name, and what to do next; never a stack trace. */
function expectFailure(outcome: { code: number | null; stderr: string }, expected: Expected): void {
  const { code, stderr } = outcome;
  expect(stderr).not.toMatch(/^\s+at /m);
  const lines = stderr.trimEnd().split('\n');
  expect(lines.length, stderr).toBeLessThanOrEqual(2);
  expect(lines[0]).toMatch(/^error: /);
  expect(lines[0]).toMatch(expected.says);
  if (expected.advises !== undefined) expect(lines[1]).toMatch(expected.advises);
  expect(code, stderr).toBe(expected.code);
}

/** Without what the program told of its work before. */
function fromError({ code, stderr }: { code: number | null; stderr: string }) {
  return { code, stderr: stderr.slice(Math.max(0, stderr.indexOf('error: '))) };
}

/** A fresh directory beside the network, where nothing points to it. */
function emptyDirectory(name: string): string {
  const dir = join(elsewhere, name);
  mkdirSync(dir);
  return dir;
}

const carol = ['--as', 'carol'];
const alice = ['--as', 'alice'];
const put = ['record', 'put', '--text', 'x', '--phase'];

describe('names that are wrong', () => {
  it('an unknown project', async () => {
    const outcome = await devnet.run('phase', 'add', 'x', '--project', 'Castle');
    expectFailure(outcome, {
      code: ERROR,
      says: 'no project is called "Castle"',
      advises: 'phaseline project list',
    });
  });

  it('a name that another phase of the project has', async () => {
    const expected = {
      code: REFUSED,
      says: /phase [0-9a-f]{12} .* is called "intake" already/,
      advises: 'another',
    };
    expectFailure(await devnet.run('phase', 'add', 'intake', '--project', 'House'), expected);
    expectFailure(await devnet.run('phase', 'rename', draft, 'intake'), expected);
    const same = await devnet.run('phase', 'rename', intake, 'intake');
    expect([same.code, same.stderr]).toEqual([0, '']);
  });

  it('an unknown phase, to read and to write', async () => {
    const expected = { code: ERROR, says: 'no phase is called "cellar"', advises: 'phaseline phase list' };
    expectFailure(await devnet.run(...alice, 'record', 'list', '--phase', 'cellar'), expected);
    expectFailure(await devnet.run(...alice, ...put, 'cellar'), expected);
  });

  it('an unknown record and an unknown file', async () => {
    const record = await devnet.run(...alice, 'record', 'get', 'f'.repeat(64), '--phase', intake);
    expectFailure(record, { code: ERROR, says: 'no record ffffffffffff', advises: 'list of records' });
    const words = ['file', 'get', 'bafkreifad4coduyuxsov5wsagp7jv4loin6fdufnxemxv4tn3tlamau6ie'];
    const file = await devnet.run(...alice, ...words, '--phase', intake, '--out', 'never');
    expectFailure(file, { code: ERROR, says: /bafkrei/, advises: /file/ });
  });

  it('a member that nobody registered', async () => {
    const outcome = await devnet.run('participant', 'add', 'mallory', '--phase', intake);
    expectFailure(outcome, { code: ERROR, says: 'mallory', advises: 'member register' });
  });

  it('a node that is not in the network', async () => {
    const outcome = await devnet.run('--as', 'zoe', 'record', 'list', '--phase', intake);
    expectFailure(outcome, { code: CANNOT_CONNECT, says: 'node "zoe" is not running', advises: 'status' });
  });
});

describe('what the ledger and the access rules refuse', () => {
  it('reading and writing by somebody who is not a participant', async () => {
    const expected = { code: REFUSED, says: `phase ${intake.slice(0, 12)}`, advises: 'phaseline phase list' };
    expectFailure(await devnet.run(...carol, 'record', 'list', '--phase', intake), expected);
    expectFailure(await devnet.run(...carol, ...put, intake), expected);
  });

  it('writing by a participant who may only read', async () => {
    const outcome = await devnet.run('--as', 'bob', ...put, 'reading');
    expectFailure(outcome, { code: REFUSED, says: 'roleMissing', advises: 'Another role is needed' });
  });

  it('writing into a phase that is not open yet, or closed', async () => {
    const expected = (state: RegExp, advises: string) => ({ code: REFUSED, says: state, advises });
    const unopened = expected(/is a draft since height \d+/, `phase open ${draft.slice(0, 12)}`);
    expectFailure(await devnet.run(...alice, ...put, draft), unopened);
    const closed = expected(/phase "closed" .* is closed since height \d+/, 'phaseline phase reopen');
    expectFailure(await devnet.run(...alice, ...put, 'closed'), closed);
  });

  it('adding a participant twice', async () => {
    const outcome = await devnet.run('participant', 'add', 'bob', '--phase', intake);
    expectFailure(outcome, { code: REFUSED, says: 'bob', advises: 'participant role' });
  });
});

describe('content that does not fit', () => {
  it('a record that is too large for a transaction', async () => {
    const client = await devnet.client('alice');
    const params = { phase: intake, text: 'x'.repeat(OVERSIZED_CHARACTERS) };
    const failure = await client.call('record_put', params).then(
      () => null,
      error => error as RpcError,
    );
    expect(failure).toBeInstanceOf(RpcError);
    expect(failure!.reason).toMatch(/too_large$/);
    expect(failure!.message).toMatch(/bytes/);
    expect(failure!.hint).toMatch(/file/);
  });

  it('a file that is not there, and a directory without files', async () => {
    const missing = await devnet.run(...alice, 'record', 'put', '--phase', intake, '--file', 'none.pdf');
    expectFailure(missing, { code: ERROR, says: 'none.pdf', advises: /path/ });
    mkdirSync(join(cwd, 'hollow'));
    const directory = await devnet.run(...alice, 'file', 'put', 'hollow', '--phase', intake);
    expectFailure(directory, { code: ERROR, says: 'hollow', advises: /path/ });
  });

  it('an output file that exists already', async () => {
    writeFileSync(join(cwd, 'there'), 'mine');
    const outcome = await devnet.run(...alice, 'dossier', 'export', '--phase', intake, '--out', 'there');
    expectFailure(outcome, { code: REFUSED, says: join(cwd, 'there'), advises: 'nothing is replaced' });
    expect(readFileSync(join(cwd, 'there'), 'utf8')).toBe('mine');
  });

  it('an event log with a malformed line, a missing column, an empty one, or none', async () => {
    const load = (name: string, text: string | null) => {
      if (text !== null) writeFileSync(join(cwd, name), text);
      return devnet.run('import', 'event-log', name);
    };
    const advises = 'column';
    const quotes = await load('quotes.csv', `${HEADER}1,Check,G1\n2,"Check,G1\n`);
    expectFailure(quotes, { code: ERROR, says: /quotes\.csv: .*line/i, advises });
    const short = await load('short.csv', `${HEADER}1,Check,G1\n2,Check\n`);
    expectFailure(short, { code: ERROR, says: /short\.csv: .*line 3/i, advises });
    const unnamed = await load('unnamed.csv', `${HEADER}1,,G1\n`);
    expectFailure(unnamed, { code: ERROR, says: /unnamed\.csv: line 2: concept:name is empty/, advises });
    const missing = await load('missing.csv', 'case:concept:name,concept:name\n1,Check\n');
    expectFailure(missing, { code: ERROR, says: 'column org:group is missing', advises });
    expectFailure(await load('empty.csv', ''), { code: ERROR, says: 'empty.csv', advises });
    expectFailure(await load('none.csv', null), { code: ERROR, says: 'none.csv: ENOENT' });
    expect((await devnet.ask<{ projects: unknown[] }>('project', 'list')).projects).toHaveLength(2);
  });
});

describe('commands that cannot be understood or sent', () => {
  it('an unreachable node', async () => {
    const outcome = await devnet.run('--url', NOBODY, 'record', 'list', '--phase', intake);
    expectFailure(outcome, {
      code: CANNOT_CONNECT,
      says: `no node answers at ${NOBODY}`,
      advises: 'npm start',
    });
  });

  it('no network', async () => {
    const empty = emptyDirectory('elsewhere');
    const outcome = await run(['status'], { cwd: empty });
    expectFailure(outcome, { code: CANNOT_CONNECT, says: 'no network is running', advises: 'npm start' });
  });

  it('nobody to act for', async () => {
    const outcome = await devnet.run('record', 'list', '--phase', intake);
    expectFailure(outcome, { code: USAGE, says: '--as NAME', advises: '--as alice' });
  });

  it('a wrong option, a wrong value, an unknown command, a missing argument', async () => {
    const cases: [string[], RegExp][] = [
      [['record', 'list', '--phase', intake, '--colour', 'red'], /unknown option '--colour'/],
      [['--output', 'xml', 'status'], /xml/],
      [['participant', 'add', 'bob', '--phase', intake, '--roles', 'king'], /"king" is no role/],
      [['record', 'list', '--phase', intake, '--limit', 'ten'], /'ten' is invalid/],
      [['devnet', '--consensus', '0'], /'0' is invalid/],
      [['levitate'], /unknown command 'levitate'/],
      [['record', 'get', '--phase', intake], /missing required argument 'record'/],
      [['record', 'put', '--text', 'x'], /required option '--phase <phase>'/],
      [['--as', 'alice', 'record', 'put', '--phase', intake], /--text or --file/],
    ];
    for (const [words, says] of cases) expectFailure(await devnet.run(...words), { code: USAGE, says });
  });

  it('a session token that is not the node’s', async () => {
    writeFileSync(join(cwd, 'token'), 'guessed\n');
    const { url } = await devnet.client('alice');
    const words = ['--url', url, '--token-file', 'token', 'record', 'list', '--phase', intake];
    const outcome = await run(words, { cwd });
    expectFailure(outcome, { code: ERROR, says: /session token/, advises: /token/ });
  });
});

describe('data that is not what it should be', () => {
  const genesis = join(cwd, 'net', 'genesis.json');

  it('a dossier that is none, that was cut, or that belongs to another consortium', async () => {
    writeFileSync(join(cwd, 'letter.txt'), 'Dear Sir or Madam');
    const verify = (file: string, anchor: string) =>
      run(['dossier', 'verify', file, '--genesis', anchor], { cwd });
    expectFailure(await verify('letter.txt', genesis), {
      code: DOES_NOT_VERIFY,
      says: 'letter.txt does not verify',
    });
    await devnet.ask(...alice, 'dossier', 'export', '--phase', intake, '--out', 'intake.dossier');
    expect((await verify('intake.dossier', genesis)).code).toBe(OK);
    const bytes = readFileSync(join(cwd, 'intake.dossier'));
    writeFileSync(join(cwd, 'cut.dossier'), bytes.subarray(0, bytes.length - 7));
    expectFailure(await verify('cut.dossier', genesis), {
      code: DOES_NOT_VERIFY,
      says: 'cut.dossier does not verify',
    });
    const other = { ...(JSON.parse(readFileSync(genesis, 'utf8')) as object), name: 'another' };
    writeFileSync(join(cwd, 'other.json'), JSON.stringify(other));
    const foreign = await verify('intake.dossier', 'other.json');
    expectFailure(foreign, {
      code: DOES_NOT_VERIFY,
      says: /intake\.dossier does not verify: .*(genesis|chain)/,
    });
    expectFailure(await verify('intake.dossier', 'letter.txt'), {
      code: ERROR,
      says: 'letter.txt: not JSON',
    });
    expectFailure(await verify('intake.dossier', 'none.json'), { code: ERROR, says: 'none.json: ENOENT' });
    expectFailure(await verify('none.dossier', genesis), { code: ERROR, says: 'none.dossier: ENOENT' });
  });

  it('a keystore with another passphrase, and without one', async () => {
    const dir = join(cwd, 'solo');
    const words = ['--dir', dir, '--role', 'participant', '--name', 'solo', '--genesis', genesis];
    const environment = { PHASELINE_PASSPHRASE: 'right' };
    expect((await run(['init', ...words], { cwd, environment })).code).toBe(OK);
    const wrong = { cwd, environment: { PHASELINE_PASSPHRASE: 'wrong' } };
    const expected = { code: ERROR, says: /passphrase does not open .*keystore\.json/, advises: /try again/ };
    expectFailure(await run(['start', '--dir', dir], wrong), expected);
    const none = await run(['start', '--dir', dir], { cwd });
    expectFailure(none, { code: ERROR, says: 'no passphrase', advises: 'PHASELINE_PASSPHRASE' });
    const again = await run(['init', ...words], { cwd, environment });
    expectFailure(again, { code: ERROR, says: /keystore|data directory/ });
    const unset = await run(['init', '--dir', 'new', '--role', 'manager', '--name', 'm'], { cwd });
    expectFailure(unset, { code: USAGE, says: 'no passphrase', advises: 'PHASELINE_PASSPHRASE' });
  });

  it('a directory without a node, and one whose node runs', async () => {
    const empty = emptyDirectory('empty');
    const advises = 'phaseline init';
    const says = 'is not a Phaseline data directory';
    expectFailure(await run(['start', '--dir', empty], { cwd }), { code: ERROR, says, advises });
    expectFailure(await run(['identity', '--dir', empty], { cwd }), { code: ERROR, says, advises });
    expectFailure(await run(['db', 'verify', '--dir', empty], { cwd }), { code: ERROR, says, advises });
    const participant = await run(['db', 'verify', '--dir', join(devnet.dir, 'alice')], { cwd });
    expectFailure(participant, { code: ERROR, says: 'it holds no chain', advises: 'consensus node' });
    const busy = await run(['db', 'verify', '--dir', join(devnet.dir, 'node-1')], { cwd });
    expectFailure(busy, { code: ERROR, says: 'is in use by process', advises: 'Stop that process' });
  });

  it('a genesis file of identities that are none', async () => {
    writeFileSync(join(cwd, 'broken.json'), '{');
    const broken = await run(['genesis', 'broken.json', '--name', 'x', '--out', 'g.json'], { cwd });
    expectFailure(broken, { code: USAGE, says: 'broken.json is not JSON', advises: 'phaseline init' });
    writeFileSync(join(cwd, 'list.json'), '[]');
    const list = await run(['genesis', 'list.json', '--name', 'x', '--out', 'g.json'], { cwd });
    expectFailure(list, { code: USAGE, says: 'list.json', advises: 'phaseline init' });
  });

  it('a directory for a devnet in which nodes of others stand, and a plan that is none', async () => {
    const dir = emptyDirectory('occupied');
    mkdirSync(join(dir, 'alice'));
    writeFileSync(join(dir, 'alice', 'keystore.json'), 'precious');
    const occupied = await run(['devnet', '--dir', dir], { cwd });
    const says = `${join(dir, 'alice')} is there, and no devnet made it`;
    expectFailure(fromError(occupied), { code: ERROR, says, advises: '--dir' });
    expect(readFileSync(join(dir, 'alice', 'keystore.json'), 'utf8')).toBe('precious');
    expect(readdirSync(dir).filter(name => name.startsWith('node-'))).toEqual([]);
    const broken = emptyDirectory('broken-plan');
    writeFileSync(join(broken, 'devnet.json'), '{');
    const outcome = await run(['devnet', '--dir', broken], { cwd });
    const expected = { code: ERROR, says: 'devnet.json is not what devnet wrote', advises: '--dir' };
    expectFailure(fromError(outcome), expected);
  });

  it('a name for a key that is taken', async () => {
    writeFileSync(join(cwd, 'taken.key'), 'a key');
    const outcome = await run(['dossier', 'key', '--out', 'taken.key'], { cwd });
    expectFailure(outcome, { code: ERROR, says: 'taken.key exists already', advises: 'another name' });
    expect(readFileSync(join(cwd, 'taken.key'), 'utf8')).toBe('a key');
  });

  it('a configuration that is not one', async () => {
    const dir = emptyDirectory('misconfigured');
    writeFileSync(join(dir, 'config.toml'), 'role = "king"\n');
    const outcome = await run(['start', '--dir', dir], { cwd });
    expectFailure(outcome, { code: ERROR, says: /config\.toml: role/, advises: 'Correct the file' });
  });
});
