/** Codes of Node and of OpenSSL that say: the certificate of one side is not good enough for the other. */
const CERTIFICATE =
  /^(ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|ERR_SSL_\w*(ALERT|CERTIFICATE))/;

/** Whether a connection failed for that, and not because nobody is there or speaks no TLS. */
export function isCertificateFault(code: string): boolean {
  return CERTIFICATE.test(code);
}
