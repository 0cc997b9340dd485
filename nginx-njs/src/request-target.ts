import type { Flow } from '@edgeward/policy';

/** No object of a policy has a longer one; whoever makes one up must not make a line that nobody reads. */
export const LONGEST_NAME = 512;

/** Which object this server is, and on which port. */
export function targetOf(r: NginxHTTPRequest): Flow {
  return targetFrom(r.variables.edgeward_server || '', portOf(r));
}

/** The same of what has been read of every request. */
export function targetFrom(name: string, port: string): Flow {
  return { from: '', to: name.length > LONGEST_NAME ? name.slice(0, LONGEST_NAME) : name, port: `tcp/${port}` };
}

/** The port that clients connect to, where the user says so; else the listener's. */
function portOf(r: NginxHTTPRequest): string {
  return (r.variables.edgeward_port || r.variables.server_port) as string;
}
