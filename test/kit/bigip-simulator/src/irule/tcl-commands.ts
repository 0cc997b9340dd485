/** The commands of Tcl 8.4 as F5's loader treats them: which stand, with how many arguments, and which are disabled. */

/** Recorded on BIG-IP 21.1: `command is disabled: "…"` as the rule loads. */
export const disabledCommands: ReadonlySet<string> = new Set(
  (
    'auto_execok auto_import auto_load auto_qualify cd eof exec exit fblocked fconfigure fcopy file flush gets glob ' +
    'interp load namespace open package pid pwd rename seek socket source tell time unknown update vwait'
  ).split(' '),
);

/** Recorded: `command is not valid in the current scope` inside an event or a procedure. */
export const topLevelCommands: ReadonlySet<string> = new Set(['when', 'proc', 'timing', 'priority']);

export interface Arity {
  least: number;
  most: number;
}

const ANY = Number.POSITIVE_INFINITY;

/** Which commands stand is recorded; how many arguments they take is the manual of Tcl 8.4. */
const ARITY: readonly [least: number, most: number, names: string][] = [
  [0, 0, 'break continue'],
  [0, ANY, 'concat if list return variable'],
  [1, 1, 'llength'],
  [1, 2, 'catch close incr join read set split'],
  [1, 3, 'error puts'],
  [1, ANY, 'after append clock encoding eval expr format global info lappend lindex lsort string subst unset uplevel'],
  [2, 2, 'while'],
  [2, 3, 'fileevent'],
  [2, ANY, 'array binary case lsearch lset regexp scan switch upvar'],
  [3, 3, 'lrange'],
  [3, ANY, 'foreach linsert lreplace regsub'],
  [4, 4, 'for'],
];

const arities = new Map<string, Arity>();
for (const [least, most, names] of ARITY) {
  for (const name of names.split(' ')) arities.set(name, { least, most });
}
// Recorded: only the forms of Tcl 8.3 pass the loader, `trace add variable …` is `wrong # args`.
arities.set('trace', { least: 2, most: 4 });

export const tclArity = (name: string): Arity | null => arities.get(name) ?? null;

/** Subcommands of Tcl 8.4, where 8.5 and 8.6 added some. */
export const tclSubcommands: Readonly<Record<string, readonly string[]>> = {
  clock: ['clicks', 'format', 'scan', 'seconds'],
  info: (
    'args body cmdcount commands complete default exists functions globals hostname level library loaded locals ' +
    'nameofexecutable patchlevel procs script sharedlibextension tclversion vars'
  ).split(' '),
  string: (
    'bytelength compare equal first index is last length map match range repeat replace tolower totitle toupper ' +
    'trim trimleft trimright wordend wordstart'
  ).split(' '),
};
