import { z } from 'zod';
import { encodeCertificate, encodeHeader } from '../../../core/codec/chain.ts';
import type { CertifiedHeader } from '../../../core/types/chain.ts';
import type { ProofAnswer } from '../../proof-api.ts';
import { base64, bytesText, checkSchema, count, hashText, time, timeSchema } from '../../schemas.ts';
import { certificateSchema, headerSchema, presentCertificate, presentHeader } from '../chain/present.ts';

/** A certified header readable and as the bytes that are hashed and signed. */
export const certifiedHeadSchema = z.object({
  hash: hashText,
  header: headerSchema,
  headerBytes: bytesText,
  certificate: certificateSchema,
  certificateBytes: bytesText,
});

export function presentCertifiedHead({ header, certificate }: CertifiedHeader, hash: string) {
  return {
    hash,
    header: presentHeader(header),
    headerBytes: base64(encodeHeader(header)),
    certificate: presentCertificate(certificate),
    certificateBytes: base64(encodeCertificate(certificate)),
  };
}

/** A proof file, and what it proves; whoever does not trust this node verifies the file. */
export const proofSchema = z.object({
  proof: bytesText.meta({ description: 'the proof file: a dossier of what was asked' }),
  bytes: count,
  height: count.meta({ description: 'of the head that it is proven under' }),
  time: timeSchema,
  checks: z.array(checkSchema),
});

export function presentProof({ bytes, verdict }: ProofAnswer) {
  const { summary, checks } = verdict;
  return {
    proof: base64(bytes),
    bytes: bytes.length,
    height: summary?.height ?? 0,
    time: time(summary?.timeMs ?? 0),
    checks: [...checks],
  };
}
