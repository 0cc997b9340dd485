/**
 * What strangers write, as requests to a real NGINX, and what may be shown of it: whichever way a denial came, in a terminal, to
 * a program and in a spreadsheet it is one line, and nothing of it runs or moves anything.
 */
import { rawRequest } from '@edgeward/test/kit';
import type { Test } from 'tap';
import { recordsOf } from '../../cli/test/fixtures/csv.ts';
import { run } from '../../cli/test/fixtures/run.ts';
import { dev } from './site.ts';

export interface Hostile {
  name: string;
  target?: string;
  host?: string | Buffer;
  method?: string;
  /** NGINX itself says no, and there is nothing to record. */
  refused?: true;
}

const forged = '"},{"v":1,"verdict":"would-deny","point":"edge-9","source":"10.0.0.1"';

export const corpus: readonly Hostile[] = [
  { name: 'lines', target: '/%0d%0a11:00:00%20DENY%20edge-9' },
  { name: 'NUL', target: '/a%00b', refused: true },
  { name: 'an escape that clears the screen', target: '/%1b[2J%1b]0;x%07' },
  { name: 'a raw escape', target: '/\x1b[2J', refused: true },
  // Up to there it is a request of HTTP/0.9, whose answer has no headers: the reference is in its body.
  { name: 'a raw line feed', target: '/\n{"v":1}' },
  { name: 'controls of eight bits in the host', host: 'a\u009b2Jb' },
  { name: 'directions in the host', host: 'evil\u202egro.example' },
  { name: 'nothing to see in the host', host: 'a\u200b\ufeffb' },
  { name: 'bytes that are no text in the host', host: Buffer.from([0x61, 0xff, 0xc3, 0x28]) },
  { name: 'directions in the path', target: '/\u202e\u2066' },
  { name: 'a surrogate in the path', target: '/%ed%a0%80' },
  { name: 'forged JSON in the path', target: `/${forged}` },
  { name: 'forged JSON in the host', host: forged },
  { name: 'a forged head of syslog', target: '/<134>1%20-%20bigip%20edgeward%20-%20deny' },
  { name: 'a name of the language', target: '/__proto__', host: '__proto__' },
  { name: 'another one', target: '/constructor', host: 'constructor' },
  { name: 'words of a database', target: "/'%20OR%201=1;--", host: "';DROP-TABLE-events;--" },
  { name: 'words of a query', target: '/{job=~".+"}|=`x`', host: '{job=~".+"}' },
  ...['=cmd|calc!A0', '+1+1', '-2+3', '@SUM(1+1)', '\uff1d1+1', ';=1+1', "',=1", '"=1'].map((host) => ({
    name: `a formula, ${host}`,
    host,
    target: `/x;${host}`,
  })),
  { name: 'a formula that is a method', method: '-CMD' },
  { name: 'length', target: `/${'\u00e9'.repeat(700)}` },
];

const bytesOf = ({ target = '/', host = 'shop.example', method = 'GET' }: Hostile): Buffer =>
  Buffer.concat([
    Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: `),
    Buffer.from(host as string),
    Buffer.from('\r\nConnection: close\r\n\r\n'),
  ]);

/** Each once, in order. The references of those that were denied. */
export async function sendHostile(t: Test, port: number): Promise<string[]> {
  const refs: string[] = [];
  for (const hostile of corpus) {
    const answer = await rawRequest({ port, localAddress: dev, bytes: bytesOf(hostile) });
    const ref = answer.headers['edgeward-ref'] ?? /\b[0-9a-f]{16}\b/.exec(answer.body)?.[0];
    t.equal(ref === undefined, hostile.refused === true, `${hostile.name}: ${answer.status}`);
    if (ref !== undefined) refs.push(ref);
  }
  return refs;
}

/** `edgeward denials` with these words. */
export type Ask = (...words: string[]) => Promise<string>;

/** `options` name whose ledger it is. */
export function asking(t: Test, options: readonly string[]): Ask {
  return async (...words) => {
    const { code, out, err } = await run(['denials', ...words, ...options]);
    t.strictSame([code, err], [0, ''], words.join(' '));
    return out;
  };
}

/** Of the denials that are asked for, which are of `refs` and of no others. */
export async function checkShown(t: Test, refs: readonly string[], options: readonly string[]): Promise<void> {
  const ask = asking(t, options);
  await t.test('in a terminal each is one line, and none of them controls it', async (t) => {
    const lines = (await ask()).split('\n');
    t.equal(lines.pop(), '');
    t.equal(lines.length, refs.length);
    for (const [i, line] of lines.entries()) {
      t.match(line, /^\d\d:\d\d:\d\d DENY +edge-1 127\.0\.1\.2\(app=crm,env=dev\) → order-front tcp\/443 /);
      t.ok(line.endsWith(`  ref ${refs[i]}`), 'the reference is at its end');
      t.notMatch(line, /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u);
    }
    t.notMatch(await ask('--json'), /[^\P{Cc}\n]|\p{Cf}/u, 'nor as JSON');
    for (const ref of refs) {
      const why = await run(['why', ref, ...options]);
      t.equal(why.code, 0, ref);
      t.notMatch(why.out, /[^\P{Cc}\n]|\p{Cf}/u, 'nor where it is explained');
    }
  });

  await t.test('in a spreadsheet each is one record, and none of them runs', async (t) => {
    const [heading = [], ...records] = recordsOf(await ask('--csv'));
    t.strictSame(
      records.map((record) => record[heading.indexOf('ref')]),
      refs,
    );
    for (const cell of records.flat().flatMap((cell) => [cell, ...cell.split(';'), ...cell.split(',')])) {
      t.notMatch(cell, /^\s*"?[=+\-@\uff1d]|[\p{Cc}\p{Cf}]/u);
    }
  });
}
