/**
 * Where a block of Lua ends (`content_by_lua_block { … }`). A brace in a string, a long bracket or a comment ends nothing.
 */
const TOKEN = /--\[(=*)\[|\[(=*)\[|--[^\n]*|["'{}]/g;

/** The place behind the closing brace of the block whose inside begins at `from`; null where it never closes. */
export function luaBlockEnd(text: string, from: number): number | null {
  let depth = 1;
  let at = from;
  for (;;) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (found === null) return null;
    const [token, comment, long] = found;
    at = found.index + token.length;
    if (token === '{') depth += 1;
    else if (token === '}') depth -= 1;
    else if (token === '"' || token === "'") at = stringEnd(text, at, token);
    else if (comment !== undefined || long !== undefined) at = behind(text, `]${comment ?? long}]`, at);
    if (depth === 0) return at;
  }
}

function stringEnd(text: string, from: number, quote: string): number {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === quote) return at + 1;
  }
  return text.length;
}

function behind(text: string, words: string, from: number): number {
  const found = text.indexOf(words, from);
  return found < 0 ? text.length : found + words.length;
}
