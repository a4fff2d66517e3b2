import type { BlockHash, Hash, Suite } from '../base/ids.ts';
import { isReject } from '../base/reject.ts';
import type { Certificate } from '../types/chain.ts';
import type { Reign } from './config.ts';
import { decodeMessage } from './message-codec.ts';
import type { NewView, SignedMessage, ViewChange } from './messages.ts';
import { chooseWindow } from './new-view-window.ts';
import { newViewDigest } from './signing.ts';
import { verifyConsensusMessage, verifyVoteCertificate, viewChangesOf } from './verify.ts';

// More than f faulty validators can commit two blocks at one height. Their signatures give them away: f + 1 of them signed
// what no honest validator signs, and no honest one is among those who did (SCENARIOS 36; Sheng et al., "BFT Protocol
// Forensics", CCS 2021, where this is the strong case: signatures, VIEW-CHANGEs kept).

/** A NEW-VIEW that holds, with what was shown to make it. */
interface Opened {
  readonly newView: NewView;
  readonly digest: Hash;
  readonly shown: ReadonlyMap<number, ViewChange>;
}

function openings(suite: Suite, reign: Reign, archive: readonly SignedMessage[]): Opened[] {
  const opened: Opened[] = [];
  for (const signed of archive) {
    const message = decodeMessage(signed);
    if (isReject(message) || message.content.kind !== 'newView') continue;
    if (!verifyConsensusMessage(suite, reign, message)) continue;
    const newView = message.content;
    const viewChanges = viewChangesOf(newView) ?? [];
    const shown = new Map<number, ViewChange>();
    for (const [at, content] of viewChanges.entries()) {
      const signer = newView.viewChanges[at]?.signer;
      if (signer !== undefined) shown.set(signer, content);
    }
    opened.push({
      newView,
      digest: newViewDigest(suite.sha256, reign.chainId, reign.set.id, newView),
      shown,
    });
  }
  return opened;
}

function signersOf({ signatures }: Certificate): Set<number> {
  return new Set(signatures.map(({ signer }) => signer));
}

function inBoth(a: ReadonlySet<number>, b: Iterable<number>): number[] {
  return [...b].filter(signer => a.has(signer)).sort((x, y) => x - y);
}

/** Everything certified at the height in VIEW-CHANGEs: prepared, or committed as a head. */
function certificatesShown(opened: readonly Opened[], height: number): Certificate[] {
  return opened.flatMap(({ shown }) =>
    [...shown.values()].flatMap(({ head, prepared }) => [
      ...(head.header.height === height && head.certificate !== null ? [head.certificate] : []),
      ...prepared.filter(({ header }) => header.height === height).map(({ certificate }) => certificate),
    ]),
  );
}

/** Who committed `block` in `view` shows in later VIEW-CHANGEs a head that has it, or proofs up to it of that view or later. */
function hides(shown: ViewChange, committed: Certificate): boolean {
  const { height, view, blockHash } = committed;
  for (let at = shown.head.header.height + 1; at <= height; at += 1) {
    const proof = shown.prepared.find(({ header }) => header.height === at);
    if (proof === undefined || proof.certificate.view < view) return true;
    if (at === height && proof.certificate.view === view && proof.certificate.blockHash !== blockHash)
      return true;
  }
  return false;
}

/** Whether voting for anything but `block` at the height broke the rules of the view that this NEW-VIEW opened. */
function binds(suite: Suite, { newView, shown }: Opened, height: number, block: BlockHash): boolean {
  const { base } = chooseWindow(suite.sha256, [...shown.values()]);
  const above = height - base.header.height;
  return above <= 0 || newView.window[above - 1] === block;
}

/**
 * Who is to blame for two commit certificates of one height with different blocks, at the lowest height where the chains
 * differ. Anybody can repeat it: it needs the two certificates and the NEW-VIEWs that nodes archive.
 *
 * @param archive signed NEW-VIEWs of the set, from any node, in any order; those that do not verify are left out
 * @returns indices of validators, ascending: at least f + 1 when the archive holds the NEW-VIEW of every view between the
 *   certificates, never an honest one; empty when the certificates do not verify, do not conflict, or the archive is too short
 */
export function traceConflict(
  suite: Suite,
  reign: Reign,
  first: Certificate,
  second: Certificate,
  archive: readonly SignedMessage[],
): readonly number[] {
  const both = [first, second];
  if (!both.every(certificate => verifyVoteCertificate(suite, reign, 'commit', certificate))) return [];
  if (first.height !== second.height || first.blockHash === second.blockHash) return [];
  const [earlier, later] = first.view <= second.view ? [first, second] : [second, first];
  const voters = signersOf(earlier);
  const opened = openings(suite, reign, archive);
  // The first view after it in which another block was certified: there the rules were broken, in the votes or in what was shown.
  const others = [later, ...certificatesShown(opened, earlier.height)]
    .filter(({ view, blockHash }) => view >= earlier.view && blockHash !== earlier.blockHash)
    .sort((a, b) => a.view - b.view);
  const other = others.find(({ view }) => view > earlier.view);
  // One COMMIT a view and height.
  if (later.view === earlier.view) return inBoth(voters, signersOf(later));
  const opening = opened.find(({ digest }) => digest === other?.newViewDigest);
  if (other === undefined || opening === undefined) return [];
  if (binds(suite, opening, earlier.height, earlier.blockHash))
    return [...signersOf(other)].sort((a, b) => a - b);
  const liars = [...opening.shown].flatMap(([signer, shown]) => (hides(shown, earlier) ? [signer] : []));
  // Who commits a block in a view has prepared it there, and nothing else.
  const twin = others.find(({ view }) => view === earlier.view);
  return inBoth(voters, new Set([...liars, ...(twin === undefined ? [] : signersOf(twin))]));
}
