/**
 * Runs beside a test host: connects to it from addresses that are let in and from those that are not, at a steady pace, and counts
 * whoever is answered wrongly. A verdict is that of the first packet: it is waited for less long than a second one would take.
 */
import { connect } from 'node:net';

interface Order {
  allowed: string[];
  denied: string[];
  to: string;
  port: number;
  /** Of each kind. */
  total: number;
}

export interface Called {
  allowed: number;
  denied: number;
  wronglyDropped: number;
  wronglyLetIn: number;
}

/** A lost SYN is sent again after a second. */
const SILENCE_MS = 900;
const EACH_MS = 20;
const AT_ONCE = 16;

const { allowed, denied, to, port, total } = JSON.parse(process.argv[2] ?? '{}') as Order;
const called: Called = { allowed: 0, denied: 0, wronglyDropped: 0, wronglyLetIn: 0 };

function isAnswered(from: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: to, port, localAddress: from });
    const limit = setTimeout(() => done(false), SILENCE_MS);
    const done = (answered: boolean): void => {
      clearTimeout(limit);
      // A reset of what is still connecting would wait until the kernel gives it up, minutes later.
      if (socket.connecting) socket.destroy();
      else socket.resetAndDestroy();
      resolve(answered);
    };
    socket.on('connect', () => done(true));
    socket.on('error', (thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'ECONNREFUSED' || thrown.code === 'ECONNRESET') done(true);
      // No answer and no silence: nothing was tried.
      else reject(thrown);
    });
  });
}

async function judge(isAllowed: boolean, number: number): Promise<void> {
  const sources = isAllowed ? allowed : denied;
  const answered = await isAnswered(sources[number % sources.length] ?? '');
  if (isAllowed && !answered) called.wronglyDropped += 1;
  if (!isAllowed && answered) called.wronglyLetIn += 1;
}

const open: Promise<void>[] = [];
const pace = setInterval(() => {
  for (let n = 0; n < AT_ONCE && called.allowed < total; n += 1) {
    open.push(judge(true, called.allowed), judge(false, called.denied));
    called.allowed += 1;
    called.denied += 1;
  }
  if (called.allowed < total) return;
  clearInterval(pace);
  void Promise.all(open).then(() => {
    process.stdout.write(JSON.stringify(called));
    process.exit(0);
  });
}, EACH_MS);
process.stdin.on('end', () => process.exit(1)).resume();
