import { readFile } from 'node:fs/promises';
import { readGenesis } from '../../config/genesis-file.ts';
import { isReject } from '../../core/base/reject.ts';
import { decodeHeader, decodeValidatorSet, headerHash } from '../../core/codec/chain.ts';
import { genesisBlock } from '../../core/ledger/index.ts';
import type { DossierAnchor } from '../../core/light/dossier-verify.ts';
import { genesisTrust } from '../../core/light/trust.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import { CommandFailure, EXIT } from '../failure.ts';

export interface AnchorOptions {
  readonly genesis?: string;
  readonly head?: string;
}

/** What `phaseline proof head` writes. */
interface HeadDocument {
  readonly headerBytes?: unknown;
  readonly validatorSet?: unknown;
}

function bytesOf(value: unknown): Uint8Array {
  return typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : new Uint8Array(0);
}

async function pinned(path: string): Promise<DossierAnchor> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure(EXIT.error, `cannot read ${path}: ${error.code}`);
  });
  const hint = 'phaseline proof head --out FILE writes one.';
  let document: HeadDocument;
  try {
    document = JSON.parse(text) as HeadDocument;
  } catch {
    throw new CommandFailure(EXIT.error, `${path} is no pinned head`, hint);
  }
  const header = decodeHeader(bytesOf(document?.headerBytes));
  const set = decodeValidatorSet(bytesOf(document?.validatorSet));
  if (isReject(header) || isReject(set))
    throw new CommandFailure(EXIT.error, `${path} is no pinned head`, hint);
  // As genesis: the set must be the one that the header names for the next height.
  const fault = genesisTrust(nodeSuite, { ...header, height: 0 }, set);
  if (isReject(fault)) throw new CommandFailure(EXIT.error, `${path}: ${fault.detail}`, hint);
  return { pinned: { header, hash: headerHash(nodeSuite.sha256, header), set } };
}

/** @throws CommandFailure where neither or both are given, or the file is none */
export async function readAnchor({ genesis, head }: AnchorOptions): Promise<DossierAnchor> {
  if ((genesis === undefined) === (head === undefined)) {
    throw new CommandFailure(
      EXIT.usage,
      'say what to trust: --genesis genesis.json of the consortium, or --head, a head that you have pinned',
    );
  }
  if (head !== undefined) return pinned(head);
  const file = await readGenesis(genesis!);
  const { block } = genesisBlock(nodeSuite, file);
  return { genesisHeader: block.header, genesisSet: { id: 0, validators: file.validators } };
}
