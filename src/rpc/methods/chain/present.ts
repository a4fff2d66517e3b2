import { z } from 'zod';
import type {
  Block,
  Certificate,
  CertificateSignature,
  Header,
  Validator,
} from '../../../core/types/chain.ts';
import { outcomeName } from '../../../core/types/outcome.ts';
import type { HeadView } from '../../api.ts';
import { base64, bytesText, count, hashText, time, timeSchema } from '../../schemas.ts';

export function presentHead(head: HeadView) {
  return { height: head.height, hash: head.hash, time: time(head.timeMs), transactions: head.transactions };
}

export const headerSchema = z.object({
  version: count,
  chainId: hashText,
  height: count,
  parentHash: hashText,
  time: timeSchema,
  transactionsRoot: hashText,
  mapRoot: hashText,
  validatorSetId: count,
  validatorSetHash: hashText,
  nextValidatorSetHash: hashText,
  previousSetChangeHeight: count,
});

export function presentHeader(header: Header) {
  const { timeMs, ...rest } = header;
  return { ...rest, time: time(timeMs) };
}

export const certificateSchema = z.object({
  validatorSetId: count,
  view: count,
  newViewDigest: hashText,
  height: count,
  blockHash: hashText,
  signatures: z.array(z.object({ signer: count, signature: bytesText })),
});

export function presentCertificate(certificate: Certificate) {
  const signatures = certificate.signatures.map((item: CertificateSignature) => ({
    signer: item.signer,
    signature: base64(item.signature),
  }));
  return { ...certificate, signatures };
}

export const blockSchema = z.object({
  hash: hashText,
  header: headerSchema,
  entries: z.array(
    z.object({ id: hashText, wrapperHash: hashText, outcome: count, outcomeName: z.string().nullable() }),
  ),
  certificate: certificateSchema.nullable(),
});

export function presentBlock(block: Block, hash: string, certificate: Certificate | null) {
  return {
    hash,
    header: presentHeader(block.header),
    entries: block.entries.map(entry => ({ ...entry, outcomeName: outcomeName(entry.outcome) })),
    certificate: certificate === null ? null : presentCertificate(certificate),
  };
}

export const validatorSchema = z.object({ name: z.string(), publicKey: bytesText, peerId: z.string() });

export function presentValidator(validator: Validator) {
  return { name: validator.name, publicKey: base64(validator.publicKey), peerId: validator.peerId };
}
