/** Runs in the namespace of a test host, or of its peer: see hosts-calling.ts. Ends when its standard input does. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { ProbeFlow, ProbeOutcome } from './hosts-calling.ts';

/** A lost SYN is sent again after a second, so that an outcome is never one packet's. */
const SILENCE_MS = 1300;
/** What came while this process was held up is still read. */
const LATE_MS = 100;
const ECHO_MS = 3000;

type Question =
  | { do: 'call'; flows: ProbeFlow[] }
  | { do: 'listen'; port: string }
  | { do: 'connect'; flow: ProbeFlow }
  | { do: 'echo' | 'hang-up'; connection: number };

const connections: Socket[] = [];

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const question = JSON.parse(line) as Question & { id: number };
    answerTo(question).then(
      (answer) => say({ id: question.id, answer: answer ?? null }),
      (error: unknown) => say({ id: question.id, error: String(error) }),
    );
  })
  .on('close', () => process.exit(0));

function say(words: object): void {
  process.stdout.write(`${JSON.stringify(words)}\n`);
}

async function answerTo(question: Question): Promise<unknown> {
  if (question.do === 'call') return Promise.all(question.flows.map(call));
  if (question.do === 'listen') return listen(question.port);
  if (question.do === 'connect') return stay(question.flow);
  if (question.do === 'hang-up') return void connections[question.connection]?.resetAndDestroy();
  return echo(connections[question.connection]);
}

function call(flow: ProbeFlow): Promise<ProbeOutcome> {
  return flow.port.startsWith('udp/') ? callUdp(flow) : callTcp(flow);
}

function callTcp({ from, to, port }: ProbeFlow): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host: to, port: numberOf(port), localAddress: from });
    const done = (outcome: ProbeOutcome): void => {
      socket.destroy();
      resolve(outcome);
    };
    socket.on('connect', () => done('open'));
    socket.on('error', () => done('refused'));
    afterSilence(() => done('silent'));
  });
}

function callUdp({ from, to, port }: ProbeFlow): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4');
    let open = true;
    const done = (outcome: ProbeOutcome): void => {
      if (open) socket.close();
      open = false;
      resolve(outcome);
    };
    socket.on('message', () => done('open'));
    socket.on('error', () => done('refused'));
    socket.bind({ address: from, port: 0 }, () => {
      socket.connect(numberOf(port), to, () => socket.send('called'));
    });
    afterSilence(() => done('silent'));
  });
}

function afterSilence(then: () => void): void {
  setTimeout(() => setTimeout(then, LATE_MS), SILENCE_MS);
}

async function listen(port: string): Promise<void> {
  if (port.startsWith('udp/')) {
    const socket = createSocket('udp6');
    socket.on('message', (message, { port, address }) => socket.send(message, port, address));
    socket.bind(numberOf(port), '::');
    await once(socket, 'listening');
    return;
  }
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  server.listen(numberOf(port), '::');
  await once(server, 'listening');
}

async function stay({ from, to, port }: ProbeFlow): Promise<number> {
  const socket = connect({ host: to, port: numberOf(port), localAddress: from });
  await once(socket, 'connect', { signal: AbortSignal.timeout(ECHO_MS) });
  socket.on('error', () => {});
  return connections.push(socket) - 1;
}

async function echo(socket: Socket | undefined): Promise<boolean> {
  if (socket === undefined) return false;
  const answered = once(socket, 'data', { signal: AbortSignal.timeout(ECHO_MS) });
  socket.write('once more');
  return answered.then(
    () => true,
    () => false,
  );
}

function numberOf(port: string): number {
  return Number(port.slice(4));
}
