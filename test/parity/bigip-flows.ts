/** Flows as real connections to a virtual server of a simulated BIG-IP. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { type Flow, formatAddress, parseAddress } from '@edgeward/policy';
import { bytesOf } from './judging-edge.ts';

/** `status` is 0 where nothing of HTTP was said. */
export interface Answer {
  state: 'answered' | 'reset' | 'silent';
  status: number;
  ref: string | null;
}

interface Listener {
  host: string;
  port: number;
}

const WAIT_MS = 20_000;
/** A datagram that is dropped is never answered. */
const SILENCE_MS = 100;
const LOOK_MS = 10;

export function askHttp(listener: Listener, flow: Flow): Promise<Answer> {
  return ask(listener, preface(flow) + bytesOf(flow, 'x'), (text) => text.includes('\r\n\r\n')).then((answer) => {
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer.text)?.[1] ?? 0);
    const ref = /\r\nedgeward-ref: ([0-9a-f]*)/i.exec(answer.text)?.[1] ?? null;
    return { state: answer.state, status, ref };
  });
}

export function askTcp(listener: Listener, flow: Flow): Promise<Answer> {
  return ask(listener, `${preface(flow)}hello\n`, (text) => text.includes('hello\n')).then(({ state }) => ({
    state,
    status: 0,
    ref: null,
  }));
}

/** Silent is what `isTold` to be denied and has no answer, however long a busy machine takes to either. */
export function askUdp(listener: Listener, flow: Flow, isTold: () => boolean): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (state: Answer['state']): void => {
      clearInterval(looking);
      socket.close();
      resolve({ state, status: 0, ref: null });
    };
    let looks = 0;
    let toldFor = 0;
    const looking = setInterval(() => {
      looks += 1;
      toldFor += isTold() ? 1 : 0;
      if (toldFor > SILENCE_MS / LOOK_MS || looks > WAIT_MS / LOOK_MS) end('silent');
    }, LOOK_MS);
    socket.on('message', () => end('answered')).on('error', () => end('reset'));
    socket.send(Buffer.from(`${preface(flow)}hello\n`), listener.port, listener.host);
  });
}

function preface({ from: given, port }: Flow): string {
  const from = asTmmSays(given);
  const version = from.includes(':') ? 6 : 4;
  const protocol = port.startsWith('udp/') ? 'UDP' : 'TCP';
  return `PROXY ${protocol}${version} ${from} ${version === 6 ? '2001:db8::1' : '10.0.0.1'} 40000 ${port.slice(4)}\r\n`;
}

/** In the one form that IP::client_addr has, whatever the vector writes. */
function asTmmSays(address: string): string {
  const key = parseAddress(address);
  if (key === null) throw new Error(`${address} is no address that a peer can have`);
  return key.length === 8 && address.includes(':') ? `::ffff:${formatAddress(key)}` : formatAddress(key);
}

function ask(
  { host, port }: Listener,
  text: string,
  complete: (text: string) => boolean,
): Promise<{ state: Answer['state']; text: string }> {
  return new Promise((resolve) => {
    let found = '';
    const socket = connect({ host, port });
    const end = (state: Answer['state']): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ state, text: found });
    };
    const timer = setTimeout(() => end('silent'), WAIT_MS);
    socket.on('data', (data) => {
      found += data.toString('latin1');
      if (complete(found)) end('answered');
    });
    socket.on('error', () => end('reset')).on('end', () => end(found === '' ? 'reset' : 'answered'));
    // As UTF-8, which is what a client's text is on the wire.
    socket.write(Buffer.from(text, 'utf8'));
  });
}
