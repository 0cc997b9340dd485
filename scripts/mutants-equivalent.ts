/** Mutants that no test can kill, because nothing that can be observed differs; each with its reason. */
export interface Equivalent {
  file: string;
  was: string;
  becomes: string;
  why: string;
}

const TABLE = 'src/interval-table.ts';
const LEAF = 'const LEAF_CHARS = 2048;';
const BRANCHES = 'if (bucket.length * recordChars > LEAF_CHARS && level + 1 < levelsOf(width).length) {';

const NO_SUCH_LENGTH =
  'Records are 52, 44, 36, 28, 20 or 12 characters where a bucket may branch; no number of them is 2048 or 2049.';
const NEVER_SO_LONG =
  'At the last level a bucket holds at most 256 records of 8 characters, never more than LEAF_CHARS.';

export const EQUIVALENT: Equivalent[] = [
  { file: TABLE, was: LEAF, becomes: 'const LEAF_CHARS = 2049;', why: NO_SUCH_LENGTH },
  { file: TABLE, was: LEAF, becomes: 'const LEAF_CHARS = 2047;', why: NO_SUCH_LENGTH },
  { file: TABLE, was: BRANCHES, becomes: BRANCHES.replace(' > ', ' >= '), why: NO_SUCH_LENGTH },
  { file: TABLE, was: BRANCHES, becomes: BRANCHES.replace(' + ', ' - '), why: NEVER_SO_LONG },
  { file: TABLE, was: BRANCHES, becomes: BRANCHES.replace('+ 1', '+ 0'), why: NEVER_SO_LONG },
  { file: TABLE, was: BRANCHES, becomes: BRANCHES.replace(' < ', ' <= '), why: NEVER_SO_LONG },
  {
    file: TABLE,
    was: "const width = name === '*4' || (prefix !== '' && prefix.length < 8) ? 8 : 32;",
    becomes: "const width = name === '*4' || (prefix !== '' && prefix.length < 7) ? 8 : 32;",
    why: 'A bucket of IPv4 has a name of 4 or 6 digits, one of IPv6 of 8 at least; none has 7.',
  },
  {
    file: TABLE,
    was: 'let to = (records.length - offset) / width;',
    becomes: 'let to = (records.length + offset) / width;',
    why: 'The search may look once behind the last record, where it reads nothing, and every needle is greater than nothing.',
  },
  {
    file: TABLE,
    was: 'if (first === last && !(wholeStart && wholeEnd)) {',
    becomes: 'if (first === last && !(wholeStart || wholeEnd)) {',
    why: 'An interval that touches one border of its bucket gives the same single piece on the longer way.',
  },
];
