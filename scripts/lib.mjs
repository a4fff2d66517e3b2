// What the scripts share: run a tool of this checkout, and set up what is missing.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Runs a package's JavaScript entry with this Node; ends this process with its exit code when it fails. */
export function tool(entry, args) {
  const result = spawnSync(process.execPath, [join(root, 'node_modules', entry), ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

function hashOf(paths) {
  const hash = createHash('sha256');
  const add = path => {
    const stat = statSync(path);
    if (stat.isDirectory()) {
      for (const name of readdirSync(path).sort())
        if (name !== 'generated' && name !== 'node_modules') add(join(path, name));
    } else {
      hash.update(path).update('\0').update(readFileSync(path)).update('\0');
    }
  };
  for (const path of paths) add(join(root, path));
  return hash.digest('hex');
}

/** Runs `work` unless it already ran for the same content of `inputs` and `output` is still there. */
export function once(name, inputs, output, work) {
  const stampDir = join(root, 'node_modules/.phaseline');
  const stamp = join(stampDir, name);
  const wanted = hashOf(inputs);
  if (existsSync(join(root, output)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  work();
  mkdirSync(stampDir, { recursive: true });
  writeFileSync(stamp, wanted);
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(
      `Phaseline needs Node 20.19 or newer; this is ${process.versions.node}. Install a newer Node and try again.`,
    );
    process.exit(1);
  }
}

export function install() {
  requireNode();
  once('install', ['package.json', 'package-lock.json'], 'node_modules/typescript', () => {
    console.error('phaseline: installing packages (once)');
    // Not `ci`: a registry may lack a tool's binary package for another platform, which `ci` takes for a broken lock file.
    const npm = process.env.npm_execpath;
    const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
    if (npm?.endsWith('.js'))
      execFileSync(process.execPath, [npm, ...args], { cwd: root, stdio: ['ignore', 2, 2] });
    else execFileSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2] });
  });
}

export async function generateWire() {
  const { generate } = await import('./generate.mjs');
  once('generate', ['proto', 'scripts/generate.mjs'], 'src/wire/generated/messages.d.ts', generate);
}

export async function build() {
  install();
  await generateWire();
  once('build', ['src', 'proto', 'tsconfig.json'], 'dist/cli/main.js', () => {
    console.error('phaseline: building');
    tool('typescript/bin/tsc', ['-p', 'tsconfig.json']);
  });
  const { writeVerifierPage } = await import('./verifier-page.mjs');
  once('verifier', ['src', 'scripts/verifier-page.mjs'], 'dist/verifier/index.html', writeVerifierPage);
}

/**
 * Runs vitest as a person sees it.
 * @param resultsVariable environment variable that names a file for the results as JSON, as .ci/run asks for
 */
export function vitest(resultsVariable, args) {
  const file = process.env[resultsVariable];
  const reporters = file ? ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`] : [];
  tool('vitest/vitest.mjs', [...args, ...reporters]);
}

/** Options of a script as `parseArgs` gives them; `--help` and a wrong option end this process with its usage. */
export function optionsOf(usage, options) {
  const end = (code, text) => {
    console.error(text);
    process.exit(code);
  };
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean', default: false } } });
    return values.help ? end(0, usage) : values;
  } catch (error) {
    return end(2, `${error.message}\n${usage}`);
  }
}
