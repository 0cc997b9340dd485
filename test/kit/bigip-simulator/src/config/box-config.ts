/**
 * The configuration that one unit holds, as mcpd would: objects by kind and full path, validated on every write, all or
 * nothing. REST, transactions, merges of tmsh text and config-sync all write through it; the data plane reads it.
 */
import type { TmosVersion } from '../simulator.ts';

/** As tmsh says it: `ltm data-group internal`, `ltm virtual`. Kinds that are not known are kept as they came. */
export type Kind = string;

export type Properties = Record<string, unknown>;

export interface ConfigObject {
  kind: Kind;
  /** `/Common/vs_web` */
  fullPath: string;
  /** Grows with every write. */
  generation: number;
  /** As iControl REST shows them, without kind, name, partition, fullPath, generation and selfLink. Normalised. */
  properties: Properties;
}

export type Change =
  | { do: 'create'; kind: Kind; body: Properties }
  | { do: 'modify'; kind: Kind; fullPath: string; body: Properties; options?: string }
  | { do: 'replace'; kind: Kind; fullPath: string; body: Properties }
  | { do: 'remove'; kind: Kind; fullPath: string };

export interface BoxConfig {
  readonly version: TmosVersion;
  get(kind: Kind, fullPath: string): ConfigObject | null;
  /** In the order that the box lists them. */
  list(kind: Kind): ConfigObject[];
  /** All or nothing; a single write is a list of one. Returns what each wrote (null for a removal). Throws BoxError. */
  apply(changes: readonly Change[], options?: { validateOnly?: boolean }): (ConfigObject | null)[];
  /** Files under /var/config/rest/downloads. */
  readonly uploads: Map<string, Buffer>;
  /** Content of an external data group's file, or null. */
  file(fullPath: string): string | null;
  /** Of these partitions alone, where they are named; what else was not saved stays so. */
  save(partitions?: ReadonlySet<string>): void;
  /** What was saved last comes back. */
  revert(): void;
  /** `load sys config merge`. Throws BoxError. */
  merge(text: string, options?: { verify?: boolean }): void;
  /** As bigip.conf. */
  text(): string;
  /** Everything that config-sync carries. */
  snapshot(): ConfigSnapshot;
  restore(snapshot: ConfigSnapshot): void;
  /** Called after a write took effect. The answer ends it. */
  subscribe(listener: (changed: { kind: Kind; fullPath: string }[]) => void): () => void;
}

export interface ConfigSnapshot {
  objects: ConfigObject[];
  files: [string, string][];
}

/** An error of mcpd, with the exact text: `01020036:3: The requested value list (/Common/x) was not found.` */
export class BoxError extends Error {
  readonly status: number;
  /** 3 for mcpd, 1 for the framework. */
  readonly apiError: number;

  constructor(status: number, message: string, apiError = 3) {
    super(message);
    this.name = 'BoxError';
    this.status = status;
    this.apiError = apiError;
  }
}
