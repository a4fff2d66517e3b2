import { z } from 'zod';
import { encodeCertificate, encodeHeader } from '../../../core/codec/chain.ts';
import type { CertifiedHeader } from '../../../core/types/chain.ts';
import { base64, bytesText, hashText } from '../../schemas.ts';
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
