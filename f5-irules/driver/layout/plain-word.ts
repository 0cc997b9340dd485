/**
 * Text as one word that Tcl, tmsh and JSON all take for themselves: UTF-8 bytes beyond `A-Z a-z 0-9 . _ ~ / -` stand as
 * `%XX`. The layer 7 rule brings a request's path into the same form, so that both are compared as they stand and no
 * byte of a policy or of a request is ever more than a byte.
 */
export function plainWord(text: string): string {
  // The bytes of one character are escaped together, so a lone surrogate has become U+FFFD by then.
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/[^A-Za-z0-9._~/-]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}
