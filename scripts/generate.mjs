// Generates src/wire/generated from proto/: a static module and its typings, never committed.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(root, 'src/wire/generated');
const bin = name => join(root, 'node_modules/protobufjs-cli/bin', name);

export function generate() {
  mkdirSync(out, { recursive: true });
  const protos = readdirSync(join(root, 'proto'))
    .filter(file => file.endsWith('.proto'))
    .sort()
    .map(file => join(root, 'proto', file));
  const moduleFile = join(out, 'messages.js');
  const flags =
    '-t static-module -w esm -r phaseline --force-long --no-delimited --no-typeurl --no-service'.split(' ');
  execFileSync(process.execPath, [bin('pbjs'), ...flags, '-o', `${moduleFile}.tmp`, ...protos], {
    stdio: 'inherit',
  });
  const text = readFileSync(`${moduleFile}.tmp`, 'utf8').replace(
    /"protobufjs\/minimal"/,
    '"protobufjs/minimal.js"',
  );
  writeFileSync(`${moduleFile}.tmp`, text);
  renameSync(`${moduleFile}.tmp`, moduleFile);
  execFileSync(process.execPath, [bin('pbts'), '-o', join(out, 'messages.d.ts'), moduleFile], {
    stdio: 'inherit',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) generate();
