/**
 * Server-sent events, as far as hints need them: the lines of `data:`. Nothing of an event is believed, and a line that
 * does not end is given up.
 */
import { storeFailure } from '../failures.ts';

const MAX_EVENT_CHARACTERS = 8 * 1024;

/** The data of each event as it comes. Throws EDW_ERR_STORE_ANSWER for an event of more than 8 kB. */
export async function* eventsOf(body: AsyncIterable<Uint8Array>, doing: string): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  let data = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split(/\r\n|\n|\r/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('data:')) data += `${line.slice(5).trimStart()}\n`;
      if (line !== '') continue;
      if (data !== '') yield data.slice(0, -1);
      data = '';
    }
    if (rest.length + data.length > MAX_EVENT_CHARACTERS)
      throw storeFailure(
        'EDW_ERR_STORE_ANSWER',
        `${doing}: an event is larger than ${MAX_EVENT_CHARACTERS} characters`,
      );
  }
}

/** The point that an event names: `{"point":"edge-1",…}`; null when it names none. */
export function hintIn(data: string): string | null {
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value !== 'object' || value === null || !('point' in value)) return null;
    return typeof value.point === 'string' ? value.point : null;
  } catch {
    return null;
  }
}
