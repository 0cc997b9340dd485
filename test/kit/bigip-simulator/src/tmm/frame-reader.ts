/** What tclsh says: netstrings, each a sequence of netstrings. Fields come out as strings of bytes. */

export function createFrameReader(onFrame: (fields: string[]) => void): (chunk: Buffer) => void {
  let pending = '';
  /** Characters that must be there before it is worth looking again. */
  let needed = 1;
  return (chunk) => {
    pending += chunk.toString('latin1');
    if (pending.length < needed) return;
    let at = 0;
    for (;;) {
      const colon = pending.indexOf(':', at);
      if (colon === -1) break;
      const end = colon + 1 + Number(pending.slice(at, colon));
      if (end > pending.length) {
        needed = end - at;
        break;
      }
      needed = 1;
      onFrame(fieldsOf(pending, colon + 1, end));
      at = end;
    }
    pending = pending.slice(at);
  };
}

function fieldsOf(text: string, start: number, end: number): string[] {
  const fields: string[] = [];
  for (let at = start; at < end; ) {
    const colon = text.indexOf(':', at);
    const next = colon + 1 + Number(text.slice(at, colon));
    fields.push(text.slice(colon + 1, next));
    at = next;
  }
  return fields;
}
