/**
 * Which files an `include` takes, as glob(3) does for NGINX: `*` and `?` never a slash and never a leading dot, `[a-z]`,
 * a backslash before what is meant as it is. Asks no file system.
 */
export function isPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

/** Whether the path is one that the pattern takes. In time that grows with the product of their lengths at most. */
export function matchesInclude(pattern: string, path: string): boolean {
  const parts = pattern.split('/');
  const names = path.split('/');
  return parts.length === names.length && parts.every((part, index) => matchesName(part, names[index] ?? ''));
}

function matchesName(pattern: string, name: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.') && !pattern.startsWith('\\.')) return false;
  const pieces = piecesOf(pattern);
  // Backtracks to the last star only, which is enough and never more than quadratic.
  let [piece, at, star, starAt] = [0, 0, -1, 0];
  while (at < name.length) {
    const wanted = pieces[piece];
    if (wanted === 'star') {
      star = piece;
      starAt = at;
      piece += 1;
    } else if (wanted?.(name[at] ?? '')) {
      piece += 1;
      at += 1;
    } else if (star >= 0) {
      piece = star + 1;
      starAt += 1;
      at = starAt;
    } else return false;
  }
  return pieces.slice(piece).every((rest) => rest === 'star');
}

type Piece = 'star' | ((char: string) => boolean);

function piecesOf(pattern: string): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern[at] ?? '';
    const close = char === '[' ? pattern.indexOf(']', at + (/^\[[!^]/.test(pattern.slice(at)) ? 3 : 2)) : -1;
    if (char === '*') pieces.push('star');
    else if (char === '?') pieces.push(() => true);
    else if (close > 0) {
      pieces.push(classOf(pattern.slice(at + 1, close)));
      at = close;
    } else {
      if (char === '\\') at += 1;
      const exact = pattern[at] ?? '\\';
      pieces.push((other) => other === exact);
    }
  }
  return pieces;
}

function classOf(inside: string): (char: string) => boolean {
  const isNegated = /^[!^]/.test(inside);
  const members = isNegated ? inside.slice(1) : inside;
  return (char) => {
    let isIn = false;
    for (let at = 0; at < members.length; at += 1) {
      const from = members[at] ?? '';
      const isRange = members[at + 1] === '-' && at + 2 < members.length;
      const to = isRange ? (members[at + 2] ?? '') : from;
      if (char >= from && char <= to) isIn = true;
      if (isRange) at += 2;
    }
    return isIn !== isNegated;
  };
}
