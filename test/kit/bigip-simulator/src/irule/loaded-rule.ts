/** An iRule after TMM's front end: what it would refuse to load, or what it runs, as plain Tcl 8.6. */
export interface LoadedRule {
  fullPath: string;
  handlers: Handler[];
  procs: { name: string; parameters: string; body: string }[];
}

export interface Handler {
  event: string;
  /** 0 to 1000, lowest first; default 500. */
  priority: number;
  /** Plain Tcl: F5's words and word operators are translated. */
  body: string;
}

export type RuleLoading = { state: 'loaded'; rule: LoadedRule } | { state: 'refused'; message: string };

/** What literal names in a rule may refer to. */
export interface NameLookup {
  has(kind: 'value_list' | 'pool' | 'virtual' | 'node' | 'rule', fullPath: string): boolean;
}

/** `message` is complete: `01070151:3: Rule [/P/r] error: /P/r:LINE: error: [reason][source text]`, all problems. */
export type LoadRule = (fullPath: string, text: string, names: NameLookup) => RuleLoading;
