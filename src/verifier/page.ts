import type { DossierCheck, DossierSummary, ShownRecord } from '../core/light/dossier-verify.ts';
import { verifyForPage } from './verify.ts';

/** Larger files are for the command line. */
const FILE_BYTES_MAX = 256 * 1024 * 1024;

function byId<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new TypeError(`the page has no #${id}`);
  return found as T;
}

/** Everything that comes from a file goes through here: as text, never as markup (SCENARIOS 88). */
function element(name: string, text = '', className = ''): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text.replace(/[\p{Bidi_Control}]/gu, '\uFFFD');
  if (className !== '') made.className = className;
  return made;
}

function checkRow({ name, ok, detail }: DossierCheck): HTMLElement {
  const row = element('tr', '', ok ? 'passed' : 'failed');
  const result = element('td', ok ? '✓ passed' : '✗ failed', 'result');
  row.append(element('th', name), result, element('td', detail, 'detail'));
  row.firstElementChild?.setAttribute('scope', 'row');
  return row;
}

function facts(pairs: readonly (readonly [string, string])[]): HTMLElement {
  const list = element('dl');
  for (const [name, value] of pairs) list.append(element('dt', name), element('dd', value));
  return list;
}

/** The payload as its author wrote it, indented where it is JSON. */
function readable(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function recordCard(record: ShownRecord): HTMLElement {
  const card = element('article');
  card.append(element('h3', `Record ${record.id.slice(0, 12)}`));
  const when = new Date(record.timeMs).toISOString();
  const written = `${record.author}, ${when}, height ${record.height}`;
  card.append(
    facts([['written by', written], ...record.fields.map(({ name, value }) => [name, value] as const)]),
  );
  if (record.text !== null) {
    const content = element('pre', readable(record.text));
    content.tabIndex = 0;
    content.setAttribute('aria-label', 'content of the record');
    card.append(content);
  }
  return card;
}

function summaryOf(summary: DossierSummary): HTMLElement {
  const logs = summary.logs.map(
    ({ scope, id, from, to, size }) => `${scope} ${id.slice(0, 12)}: leaves ${from} to ${to} of ${size}`,
  );
  return facts([
    ['chain', summary.chainId],
    ['as of', `height ${summary.height}, ${new Date(summary.timeMs).toISOString()}`],
    ...logs.map(text => ['log', text] as const),
  ]);
}

function showVerdict(genesisText: string, name: string, file: Uint8Array): void {
  const { ok, checks, summary, records } = verifyForPage(genesisText, file);
  const failed = checks.filter(check => !check.ok).length;
  const verdict = byId('verdict');
  verdict.className = ok ? 'good' : 'bad';
  verdict.textContent = ok
    ? `${name} holds: all ${checks.length} checks passed.`
    : `${name} does not hold: ${failed} of ${checks.length} checks failed.`;
  byId('checks').replaceChildren(...checks.map(checkRow));
  byId('summary').replaceChildren(...(summary === null || !ok ? [] : [summaryOf(summary)]));
  // What does not hold as a whole shows nothing that one could take for true.
  byId('records').replaceChildren(...(ok ? records : []).map(recordCard));
  byId('result').hidden = false;
  byId('spoken').hidden = !ok || summary === null;
  byId('found').hidden = !ok || records.length === 0;
}

async function run(): Promise<void> {
  const [dossier, genesis] = ['dossier', 'genesis'].map(id => byId<HTMLInputElement>(id).files?.[0]);
  const verdict = byId('verdict');
  if (dossier === undefined || genesis === undefined) return;
  verdict.className = '';
  verdict.textContent = `Checking ${dossier.name} …`;
  byId('result').hidden = true;
  try {
    if (dossier.size > FILE_BYTES_MAX)
      throw new RangeError('the file is too large for this page: use phaseline dossier verify');
    const [text, bytes] = [await genesis.text(), new Uint8Array(await dossier.arrayBuffer())];
    // Lets the browser show the line above before the work begins.
    await new Promise(resolve => setTimeout(resolve, 0));
    showVerdict(text, dossier.name, bytes);
  } catch (error) {
    verdict.className = 'bad';
    verdict.textContent = error instanceof Error ? error.message : String(error);
  }
}

for (const id of ['dossier', 'genesis']) byId(id).addEventListener('change', () => void run());
