/** A simulator for one test, with clients, gone after it. Without a data plane unless the test asks for one. */
import { createLogger } from '@edgeward/runtime';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/index.ts';
import { basic, createRestClient, type Response, type RestClient } from './rest-client.ts';

export interface Stage {
  simulator: Simulator;
  /** The administrator at the first unit, by name and password. */
  admin: RestClient;
  /** Anybody, at any unit; headers go with each call. */
  client(headers?: Record<string, string>, unit?: number): RestClient;
  /** By token, from a login of this user. */
  login(name: string, password: string, unit?: number): Promise<RestClient>;
}

interface Test {
  teardown(run: () => Promise<void> | void): void;
}

export async function setStage(t: Test, options: SimulatorOptions = {}): Promise<Stage> {
  const logger = createLogger({ level: 'silent' });
  const simulator = await startSimulator({ dataPlane: false, logger, ...options });
  t.teardown(() => simulator.close());
  const client = (headers: Record<string, string> = {}, unit = 0): RestClient => {
    const made = createRestClient(simulator.units[unit]?.url ?? '', simulator.ca, headers);
    t.teardown(() => made.close());
    return made;
  };
  return {
    simulator,
    admin: client(basic('admin', 'admin')),
    client,
    async login(name, password, unit = 0) {
      const answer = await client({}, unit).call('POST', '/mgmt/shared/authn/login', {
        body: { username: name, password, loginProviderName: 'tmos' },
      });
      return client({ 'x-f5-auth-token': tokenIn(answer) }, unit);
    },
  };
}

export function tokenIn(answer: Response): string {
  const { token } = answer.body;
  if (typeof token !== 'object' || token === null || !('token' in token)) throw new Error(`no token in ${answer.text}`);
  return String(token.token);
}

/** `bigip-a.example` and its peer; throws when the simulator has no such unit. */
export function unitOf(simulator: Simulator, index: number): Simulator['units'][number] {
  const unit = simulator.units[index];
  if (unit === undefined) throw new Error(`no unit ${index}`);
  return unit;
}

/** What stands at a path of `nestedStats` and `entries`, by the last names of the keys. */
export function statOf(answer: Response, name: string): string | undefined {
  const found = JSON.stringify(answer.body).match(new RegExp(`"${name}":\\{"(?:description|value)":"?([^"}]*)`));
  return found?.[1];
}
