import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const GENERATED = join(root, 'src/wire/generated');

function filesBelow(dir: string): string[] {
  return readdirSync(dir).flatMap(name => {
    const path = join(dir, name);
    if (path === GENERATED || name === 'node_modules' || name === 'dist') return [];
    if (statSync(path).isDirectory()) return filesBelow(path);
    return /\.(ts|mjs)$/.test(name) ? [path] : [];
  });
}

const sources = filesBelow(join(root, 'src'));
const everything = ['src', 'test', 'bench', 'scripts']
  .map(dir => join(root, dir))
  .filter(dir => existsSync(dir))
  .flatMap(filesBelow);
const text = (path: string) => readFileSync(path, 'utf8');
const name = (path: string) => relative(root, path);

/** Module specifiers of a file, static and dynamic. */
function importsOf(path: string): string[] {
  return [...text(path).matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map(match => match[1]!);
}

/** Files that this one needs at run time; `import type` is gone by then. */
function valueImportsOf(path: string): string[] {
  const statements = text(path).matchAll(/^(?:import|export)\s(?!type\s)[^;]*?from '(\.[^']+)';/gms);
  return [...statements].map(match => resolve(dirname(path), match[1]!));
}

/** `src/core/pbft/step.ts` → `core`; the room is the first folder below src. */
const roomOf = (path: string) => relative(join(root, 'src'), path).split('/')[0]!;

/** What each room may import of the others (DESIGN.md section 7): arrows point down, adapters know no adapter. */
const ALLOWED: Record<string, readonly string[]> = {
  core: [],
  ports: ['core'],
  wire: ['core', 'ports'],
  crypto: ['core', 'ports'],
  store: ['core', 'ports'],
  transport: ['core', 'ports'],
  system: ['core', 'ports'],
  config: ['core', 'ports'],
  services: ['core', 'ports', 'wire'],
  rpc: ['core', 'ports', 'services', 'config'],
  client: ['core', 'ports'],
  verifier: ['core', 'ports', 'crypto', 'config'],
  manager: ['core', 'ports', 'services', 'rpc', 'config'],
  roles: [
    'core',
    'ports',
    'wire',
    'crypto',
    'store',
    'transport',
    'system',
    'config',
    'services',
    'rpc',
    'manager',
  ],
  cli: [
    'core',
    'ports',
    'crypto',
    'system',
    'config',
    'client',
    'rpc',
    'manager',
    'roles',
    'services',
    'store',
  ],
};

describe('tidy', () => {
  it('keeps the arrows between the rooms', () => {
    const wrong = sources.flatMap(path =>
      importsOf(path)
        .filter(specifier => specifier.startsWith('.'))
        .map(specifier => roomOf(resolve(dirname(path), specifier)))
        .filter(room => room !== roomOf(path) && !ALLOWED[roomOf(path)]?.includes(room))
        .map(room => `${name(path)} imports ${room}`),
    );
    expect(wrong).toEqual([]);
  });

  it('keeps libraries in their rooms', () => {
    const home: [RegExp, RegExp][] = [
      [/^protobufjs/, /^src\/wire\//],
      [/^(libp2p|@libp2p\/|@chainsafe\/libp2p|@multiformats\/)/, /^src\/transport\//],
      [
        /^(level|classic-level|interface-blockstore|blockstore-|ipfs-unixfs|@ipld\/|@aws-sdk\/)/,
        /^src\/store\//,
      ],
      [/^(@hpke\/|shamir-secret-sharing$)/, /^src\/crypto\//],
      [/^fastify|^@fastify|^@tus\//, /^src\/rpc\//],
      [/^ajv(\/|$)/, /^src\/services\//],
      [/^commander$/, /^src\/cli\//],
      [/^saxes$/, /^src\/cli\/import\//],
    ];
    const wrong = sources.flatMap(path =>
      importsOf(path)
        .filter(specifier =>
          home.some(([library, room]) => library.test(specifier) && !room.test(name(path))),
        )
        .map(specifier => `${name(path)} imports ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  it('keeps clocks, randomness and packages out of core', () => {
    const forbidden =
      /\bDate\.now|\bnew Date\b|\bMath\.random|\bsetTimeout|\bconsole\.|\bprocess\.|\bperformance\./;
    const core = sources.filter(path => roomOf(path) === 'core');
    expect(core.length).toBeGreaterThan(0);
    expect(core.filter(path => forbidden.test(text(path))).map(name)).toEqual([]);
    expect(
      core.filter(path => importsOf(path).some(specifier => !specifier.startsWith('.'))).map(name),
    ).toEqual([]);
  });

  it('keeps core free of circles: the order of its files is the order of the protocol', () => {
    const core = sources.filter(path => roomOf(path) === 'core');
    const graph = new Map(core.map(path => [path, valueImportsOf(path)]));
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (path: string, above: readonly string[]) => {
      if (above.includes(path))
        circles.push([...above.slice(above.indexOf(path)), path].map(name).join(' → '));
      if (done.has(path) || above.includes(path)) return;
      for (const next of graph.get(path) ?? []) visit(next, [...above, path]);
      done.add(path);
    };
    for (const path of core) visit(path, []);
    expect(circles).toEqual([]);
  });

  it('holds files to 400 lines', () => {
    expect(sources.filter(path => text(path).split('\n').length > 401).map(name)).toEqual([]);
  });

  it('holds functions to 70 lines', () => {
    const long = sources.flatMap(path => longFunctions(path).map(line => `${name(path)}:${line}`));
    expect(long).toEqual([]);
  });

  it('leaves nothing unfinished', () => {
    const unfinished =
      /\b(TODO|FIXME|XXX|HACK)\b|\b(it|test|describe)\.(skip|skipIf|runIf|only|todo)\b|@ts-ignore|@ts-nocheck/;
    const self = fileURLToPath(import.meta.url);
    expect(everything.filter(path => path !== self && unfinished.test(text(path))).map(name)).toEqual([]);
  });

  it('names files in kebab-case', () => {
    const base = (path: string) => path.split('/').at(-1)!;
    expect(
      everything.filter(path => !/^[a-z0-9-]+(\.[a-z0-9-]+)*\.(ts|mjs)$/.test(base(path))).map(name),
    ).toEqual([]);
  });
});

/** First lines of functions and methods whose body has more than 70 lines, found by the formatter's indentation. */
function longFunctions(path: string): number[] {
  const lines = text(path).split('\n');
  const found: number[] = [];
  const opens =
    /^(\s*)(?:export )?(?:default )?(?:async )?(?:function\b|(?:static |private |readonly |override |async |get |set |\*)*[\w#]+\s*\(.*\{$|const \w+ = .*=> \{$)/;
  for (const [index, line] of lines.entries()) {
    const match = opens.exec(line);
    if (match === null || /^\s*(if|for|while|switch|return|catch|else)\b/.test(line)) continue;
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${match[1]}}`));
    if (end - index > 71) found.push(index + 1);
  }
  return found;
}
