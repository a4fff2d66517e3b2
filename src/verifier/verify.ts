import { config } from 'zod';
import { parseGenesis } from '../config/genesis-document.ts';
import { genesisBlock } from '../core/ledger/index.ts';
import { type DossierVerdict, verifyDossier } from '../core/light/dossier-verify.ts';
import { isPurgeCertificate, verifyPurgeCertificate } from '../core/light/purge-certificate.ts';
import { nobleOpenPayload } from '../crypto/noble-record-cipher.ts';
import { nobleSuite } from '../crypto/noble-suite.ts';

/** The page's policy forbids code made of text, which the checker of documents would otherwise try. */
config({ jitless: true });

/**
 * Checks a dossier, a proof or a certificate of purge with the code of every node, and cryptography in plain JavaScript.
 *
 * @param genesisText content of genesis.json, the one thing that is trusted
 * @throws OperatingError `bad_genesis` that names what is wrong with it
 */
export function verifyForPage(genesisText: string, file: Uint8Array): DossierVerdict {
  const genesis = parseGenesis(genesisText, 'genesis.json');
  const { block } = genesisBlock(nobleSuite, genesis);
  const anchor = { genesisHeader: block.header, genesisSet: { id: 0, validators: genesis.validators } };
  if (!isPurgeCertificate(file))
    return verifyDossier(nobleSuite, file, anchor, { openPayload: nobleOpenPayload });
  const { ok, checks } = verifyPurgeCertificate(nobleSuite, file, anchor);
  return { ok, checks, summary: null, records: [] };
}
