/** What the handlers of an event want done, read from the actions that tclsh reports. Pure. */

export interface Action {
  name: string;
  args: string[];
}

export interface HttpHead {
  method: string;
  uri: string;
  /** `1.1` */
  version: string;
  /** Names and values in turn, as they came. */
  headers: string[];
}

export interface Answer {
  status: number;
  version: string;
  /** Whether it says `Server: BigIP`. */
  server: boolean;
  reset: boolean;
  content: string;
  headers: string[];
}

/** Where a connection goes instead of the pool of its virtual server. */
export type Target =
  | { kind: 'pool'; pool: string; member: { address: string; port: string } | null }
  | { kind: 'node'; address: string; port: string }
  | { kind: 'virtual'; virtual: string }
  | { kind: 'nowhere' };

export type Side = 'client' | 'server';

export interface Outcome {
  /** `reset` or silence, whichever was asked for first. */
  end: 'reset' | 'silence' | null;
  target: Target | null;
  /** A new choice of server, whatever stood. */
  reselect: boolean;
  snat: string | null;
  request: HttpHead | null;
  response: { status: number; headers: string[] } | null;
  answer: Answer | null;
  /** Bytes of HTTP content to collect; -1 is all. */
  httpCollect: number | null;
  httpPayload: string | null;
  httpClose: boolean;
  httpDisable: boolean;
  collect: Partial<Record<Side, number>>;
  /** Bytes to let go; -1 is all. */
  release: Partial<Record<Side, number>>;
  payload: Partial<Record<Side, string>>;
  respond: { side: Side; data: string }[];
  close: Side[];
  dropDatagram: boolean;
}

export function nothing(): Outcome {
  return {
    end: null,
    target: null,
    reselect: false,
    snat: null,
    request: null,
    response: null,
    answer: null,
    httpCollect: null,
    httpPayload: null,
    httpClose: false,
    httpDisable: false,
    collect: {},
    release: {},
    payload: {},
    respond: [],
    close: [],
    dropDatagram: false,
  };
}

/** A handler that failed, or a tclsh that is gone, resets the connection. */
export function failed(): Outcome {
  return { ...nothing(), end: 'reset' };
}

export function outcomeOf(actions: readonly Action[]): Outcome {
  const outcome = nothing();
  for (const { name, args } of actions) READERS[name]?.(outcome, args);
  return outcome;
}

const sideOf = (word: string | undefined): Side => (word === 'server' ? 'server' : 'client');

const READERS: Record<string, (outcome: Outcome, args: string[]) => void> = {
  reject: (outcome) => {
    outcome.end ??= 'reset';
  },
  drop: (outcome) => {
    outcome.end ??= 'silence';
  },
  forward: (outcome) => {
    outcome.target = { kind: 'nowhere' };
  },
  pool: (outcome, [pool = '', address = '', port = '']) => {
    outcome.target = { kind: 'pool', pool, member: address === '' ? null : { address, port } };
  },
  node: (outcome, [address = '', port = '']) => {
    outcome.target = { kind: 'node', address, port };
  },
  virtual: (outcome, [virtual = '']) => {
    outcome.target = { kind: 'virtual', virtual };
  },
  detach: (outcome) => {
    outcome.reselect = true;
  },
  reselect: (outcome) => {
    outcome.reselect = true;
  },
  snat: (outcome, [address = '']) => {
    outcome.snat = address;
  },
  request: (outcome, [method = '', uri = '', version = '', ...headers]) => {
    outcome.request = { method, uri, version, headers };
  },
  response: (outcome, [status = '200', ...headers]) => {
    outcome.response = { status: Number(status), headers };
  },
  respond: (outcome, [status = '200', version = '1.0', server = '1', reset = '0', content = '', ...headers]) => {
    outcome.answer = {
      status: Number(status),
      version,
      server: server === '1',
      reset: reset === '1',
      content,
      headers,
    };
  },
  'http-collect': (outcome, [_where, bytes = '-1']) => {
    outcome.httpCollect = Number(bytes);
  },
  'http-payload': (outcome, [_side, data = '']) => {
    outcome.httpPayload = data;
  },
  'http-close': (outcome) => {
    outcome.httpClose = true;
  },
  'http-disable': (outcome) => {
    outcome.httpDisable = true;
  },
  'tcp-collect': (outcome, [side, bytes = '0']) => {
    outcome.collect[sideOf(side)] = Number(bytes);
  },
  'tcp-release': (outcome, [side, bytes = '-1']) => {
    outcome.release[sideOf(side)] = Number(bytes);
  },
  'tcp-payload': (outcome, [side, data = '']) => {
    outcome.payload[sideOf(side)] = data;
  },
  'tcp-respond': (outcome, [side, data = '']) => {
    outcome.respond.push({ side: sideOf(side), data });
  },
  'tcp-close': (outcome, [side]) => {
    outcome.close.push(sideOf(side));
  },
  'udp-drop': (outcome) => {
    outcome.dropDatagram = true;
  },
};
