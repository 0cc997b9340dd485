export { type Authority, authorityFile, createAuthority, fingerprintOf, openAuthority } from './authority.ts';
export {
  type CertificateRequest,
  type IssuedCertificate,
  issueCertificate,
  issueCertificateFor,
} from './certificate.ts';
export { type Identity, identityOf } from './identity.ts';
export { issueNumberOf } from './issue-number.ts';
export { publicKeyOf } from './public-key.ts';
