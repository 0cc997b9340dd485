/** Requests all the time, while something else happens: one connection for each client, the next request after each answer. */
import { Agent, request } from 'node:http';

export interface SteadyClient {
  /** Any address of 127.0.0.0/8, one for each client. */
  from: string;
  path: string;
}

export interface SteadyLoad {
  /** Ends every connection. By client, how often each status came; 0 where there was no answer. */
  stop(): Promise<Map<string, Record<number, number>>>;
}

export function startSteadyLoad(port: number, clients: readonly SteadyClient[]): SteadyLoad {
  const answers = new Map<string, Record<number, number>>();
  let running = true;
  const runs = clients.map(async ({ from, path }) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress: from });
    const seen: Record<number, number> = {};
    answers.set(from, seen);
    while (running) {
      const status = await statusOf(port, path, agent);
      seen[status] = (seen[status] ?? 0) + 1;
    }
    agent.destroy();
  });
  return {
    stop: async () => {
      running = false;
      await Promise.all(runs);
      return answers;
    },
  };
}

function statusOf(port: number, path: string, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const headers = { host: 'shop.example' };
    const outgoing = request({ host: '127.0.0.1', port, path, agent, headers, timeout: 20_000 }, (response) => {
      response.on('end', () => resolve(response.statusCode ?? 0)).resume();
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(0)).end();
  });
}
