/**
 * iControl REST of one BIG-IP, as the driver uses it. One write is in flight at a time; an answer that never came is
 * read back before anything else is written. Errors are EdgewardErrors, EDW_ERR_BIGIP_… or EDW_ERR_POINT_UNREACHABLE.
 */
export type Json = Record<string, unknown>;

export interface Icontrol {
  /** `https://bigip-a.example` */
  readonly url: string;
  /** `17.1.2`, from the `ver` of the first answer. */
  version(): Promise<string>;
  /** One object, or null where there is none. `path` is below `/mgmt/`, as `objectPath` makes it. */
  get(path: string, query?: Record<string, string>): Promise<Json | null>;
  /** Every item of a collection, over all its pages; absent is empty. */
  list(path: string, query?: Record<string, string>): Promise<Json[]>;
  /** POST to a collection. An object that exists already is EDW_ERR_BIGIP_EXISTS. */
  create(path: string, body: Json): Promise<Json>;
  /** PATCH. Arrays are replaced whole. An object that is not there is EDW_ERR_BIGIP_NOT_FOUND. */
  modify(path: string, body: Json): Promise<Json>;
  /** DELETE. False when there was nothing; EDW_ERR_BIGIP_IN_USE when something refers to it. */
  remove(path: string): Promise<boolean>;
  /**
   * A file for `sourcePath`, in chunks of 512 KiB. Returns what that takes: `file:/var/config/rest/downloads/FILE`.
   * `pieces` is read from its start again when a connection breaks; a generator that runs once can't be.
   */
  upload(file: string, totalBytes: number, pieces: Iterable<Uint8Array>): Promise<string>;
  /** Whether the box would take this change, by a validate-only transaction; throws what it says when not. */
  validate(change: { method: 'PATCH' | 'POST'; path: string; body: Json }): Promise<void>;
  /** POST of a command (`tm/sys/config`, `tm/cm`). One without clear answer is not read back: there is nothing to read. */
  run(path: string, body: Json): Promise<Json>;
  /** Writes sent since the client was made, repeats included, logins and tokens not, and the bytes of their bodies. */
  sent(): { writes: number; bytes: number };
  /** Gives the token back. Never rejects; whatever is called afterwards is EDW_ERR_POINT_UNREACHABLE. */
  close(): Promise<void>;
}
