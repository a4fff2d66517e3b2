// Bundles the verifier into one page that works from a file, without any network: dist/verifier/index.html.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** @param entry file below src/verifier; @param globalName where its exports go, none for a page's script */
export function bundle(entry, globalName) {
  const result = buildSync({
    entryPoints: [join(root, 'src/verifier', entry)],
    bundle: true,
    format: 'iife',
    globalName,
    platform: 'browser',
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    charset: 'utf8',
    write: false,
    logLevel: 'error',
  });
  return result.outputFiles[0].text;
}

const hashOf = text => `sha256-${createHash('sha256').update(text).digest('base64')}`;

/** The policy names the hashes of the one script and the one style: nothing else runs, whatever a file says. */
export function verifierPage() {
  const script = bundle('page.ts');
  const template = readFileSync(join(root, 'src/verifier/index.html'), 'utf8');
  const style = /<style>([\s\S]*?)<\/style>/.exec(template)[1];
  return template
    .replace('STYLE_HASH', () => hashOf(style))
    .replace('SCRIPT_HASH', () => hashOf(script))
    .replace('SCRIPT</script>', () => `${script}</script>`);
}

export function writeVerifierPage() {
  mkdirSync(join(root, 'dist/verifier'), { recursive: true });
  writeFileSync(join(root, 'dist/verifier/index.html'), verifierPage());
}
