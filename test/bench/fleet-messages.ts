/** What the processes of a fleet say to each other. */

/** How the clients of one process are to be: the points `first` and the following, each with what it needs. */
export interface ClientTask {
  first: number;
  count: number;
  way: ClientWay;
  /** `ca.pem`; `N.pem` and `N-key.pem` as `certificateOf` numbers them. */
  certificates: string;
}

export type ClientWay =
  | { kind: 'store'; url: string; rootFile: string; stateDir: string }
  | { kind: 'nats'; servers: readonly string[]; password: string; rootFile: string; stateDir: string }
  | { kind: 'whole'; url: string };

/** Of one client: its new policy is in memory. */
export interface Applied {
  point: number;
  /** Of the head; of a whole policy 0. */
  revision: number;
  /** Of what people signed; of a whole policy 0. */
  version: number;
  atMs: number;
}

/** HTTP as the clients see it, before TLS. */
export interface Wire {
  [kind: string]: { requests: number; sentBytes: number; receivedBytes: number };
}

export interface ClientsStatus {
  /** By point, in order; 0 where there is none. */
  revisions: number[];
  /** Codes of what went wrong last, and at how many points. */
  errors: Record<string, number>;
  snapshots: number;
  deltas: number;
}

export type ToClients = { do: 'start' } | { do: 'count' } | { do: 'wire' } | { do: 'status' };
export type FromClients =
  | { is: 'ready' }
  | { is: 'applied'; applied: Applied[] }
  | { is: 'wire'; wire: Wire }
  | { is: 'status'; status: ClientsStatus }
  | { is: 'failed'; message: string };

export type ToStore = { do: 'served' } | { do: 'held' } | { do: 'revisions'; points: number };
export type FromStore =
  | { is: 'listening'; port: number }
  /** When each head was served, since it was asked for last. */
  | { is: 'served'; atMs: number[] }
  /** What JavaScript holds, after a collection. */
  | { is: 'held'; bytes: number }
  /** Newest by point; 0 where there is none. */
  | { is: 'revisions'; revisions: number[] };
