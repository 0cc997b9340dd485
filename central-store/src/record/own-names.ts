/** Names that stand on the record for no person. Who had one of them could not be told from the store, or from nobody. */

/** Who acts when no person does. */
export const STORE = 'store';
/** A certificate that names neither a person nor a point. */
export const NOBODY = 'nobody';

export const OWN_NAMES: readonly string[] = [STORE, NOBODY];
