/** What happens in a simulator, for somebody who looks on: where virtual servers listen, and lines of the log, as they come. */
import type { SimulatedUnit, Simulator } from '@edgeward/bigip-simulator';
import { EdgewardError } from '@edgeward/runtime';

export type SimulatorEvent =
  /** `127.0.0.1:40123`; null when it stopped. */
  | { event: 'listening'; unit: string; virtual: string; address: string | null }
  | { event: 'log'; unit: string; line: string };

export interface SimulatorWatch {
  close(): Promise<void>;
}

const pollMs = 300;

/** Tells one after the other; what telling throws ends the watch and is thrown by `close`. */
export function watchSimulator(
  simulator: Simulator,
  listens: boolean,
  tell: (event: SimulatorEvent) => Promise<void>,
): SimulatorWatch {
  const units = simulator.units.map((unit) => ({ unit, log: logOf(unit), at: new Map<string, string>() }));
  let writes = -1;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    const now = units.reduce((sum, { unit }) => sum + writesAt(unit), 0);
    // Nothing moves a listener but a write: a failover and a configuration that is loaded are writes too.
    if (listens && now !== writes) for (const { unit, at } of units) await lookAtListeners(unit, at, tell);
    writes = now;
    for (const { unit, log } of units) for (const line of log()) await tell({ event: 'log', unit: unit.name, line });
  }

  function next(): void {
    looking = look().then(() => {
      if (!closed) timer = setTimeout(next, pollMs);
    });
    looking.catch(() => {}); // kept for `close`
  }

  next();
  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await looking;
    },
  };
}

function writesAt(unit: SimulatedUnit): number {
  return unit.calls().filter(({ method, path }) => method !== 'GET' && !path.includes('/shared/')).length;
}

async function lookAtListeners(
  unit: SimulatedUnit,
  known: Map<string, string>,
  tell: (event: SimulatorEvent) => Promise<void>,
): Promise<void> {
  const found = new Map<string, string>();
  for (const virtual of virtualsIn(unit.configText())) {
    const address = await addressOf(unit, virtual);
    if (address !== null) found.set(virtual, address);
  }
  for (const [virtual, address] of found)
    if (known.get(virtual) !== address) await tell({ event: 'listening', unit: unit.name, virtual, address });
  for (const virtual of known.keys())
    if (!found.has(virtual)) await tell({ event: 'listening', unit: unit.name, virtual, address: null });
  known.clear();
  for (const [virtual, address] of found) known.set(virtual, address);
}

/** A name that needs quotes is written with them. */
function virtualsIn(text: string): string[] {
  return [...text.matchAll(/^ltm virtual (?:"((?:[^"\\]|\\.)*)"|(\S+)) \{$/gm)].map(
    ([, quoted, bare]) => bare ?? (quoted ?? '').replace(/\\(.)/g, '$1'),
  );
}

async function addressOf(unit: SimulatedUnit, virtual: string): Promise<string | null> {
  try {
    const { host, port } = await unit.listener(virtual);
    return `${host.includes(':') ? `[${host}]` : host}:${port}`;
  } catch (thrown) {
    // Disabled, of a standby, or gone since.
    if (thrown instanceof EdgewardError && thrown.code === 'EDW_ERR_SIMULATOR_LISTENER') return null;
    throw thrown;
  }
}

/** Lines that came since the last call. The log keeps the newest only, and begins anew with a reboot. */
function logOf(unit: SimulatedUnit): () => string[] {
  let seen: string[] = [];
  return () => {
    const lines = unit.log();
    const last = seen.at(-1);
    const isLonger = lines.length >= seen.length && (last === undefined || lines[seen.length - 1] === last);
    const from = isLonger ? seen.length : last === undefined ? 0 : lines.lastIndexOf(last) + 1;
    seen = lines;
    return lines.slice(from);
  };
}
