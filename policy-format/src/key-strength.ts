/**
 * Public keys under which anybody can sign: the points of small order on Ed25519. RFC 8032 allows them: OpenSSL 3.0 takes
 * such a signature, 3.5 does not. Nobody makes one by accident; who enrolled one would lend a signature to everybody.
 */
export function isWeakKey(x: string): boolean {
  const y = Buffer.from(x, 'base64url');
  const last = y[31];
  if (last === undefined) return true;
  y[31] = last & 0x7f; // The sign of the other coordinate.
  return SMALL_ORDER.has(y.toString('hex'));
}

/** Little-endian y of all eight points, and the spellings past the prime that decode to them. */
const SMALL_ORDER = new Set([
  `00${'00'.repeat(31)}`,
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
]);
