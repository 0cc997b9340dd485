/**
 * Runs in a namespace of a test host. `answer PORT`: takes connections and ends them. `call JSON`: for each line of so many
 * milliseconds on its standard input it connects and resets as fast as it can, and prints how many connections there were.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const AT_ONCE = 32;
const [role, argument = ''] = process.argv.slice(2);

interface Order {
  from: string[];
  to: string;
  port: number;
}

async function answer(port: number): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  server.listen(port, '0.0.0.0', 4096);
  await once(server, 'listening');
  process.stdout.write('{}\n');
}

function call({ from, to, port }: Order, ms: number): Promise<number> {
  const endMs = performance.now() + ms;
  let made = 0;
  async function one(number: number): Promise<void> {
    for (let turn = number; performance.now() < endMs; turn += AT_ONCE) {
      const socket = connect({ host: to, port, localAddress: from[turn % from.length] ?? '' });
      await once(socket, 'connect').then(
        () => {
          made += 1;
        },
        () => {},
      );
      socket.resetAndDestroy();
    }
  }
  return Promise.all(Array.from({ length: AT_ONCE }, (_, number) => one(number))).then(() => made);
}

if (role === 'answer') await answer(Number(argument));
const order = role === 'call' ? (JSON.parse(argument) as Order) : null;
createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (order !== null) void call(order, Number(line)).then((made) => process.stdout.write(`${made}\n`));
  })
  .on('close', () => process.exit(0));
