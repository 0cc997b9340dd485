/** Runs translated bodies in a real tclsh, each in a safe interpreter of its own, and says what came out. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { loadRule } from '../../src/irule/load-rule.ts';

export interface Outcome {
  /** Tcl's: 0 ok, 1 error, 2 return. */
  code: number;
  result: string;
}

export const hasTclsh: boolean = spawnSync('tclsh', [], { input: 'exit 0' }).status === 0;
/** For `t.test(name, { skip })`. */
export const skip: string | false = hasTclsh ? false : 'tclsh is not on PATH: install the package tcl';

const FUNCTIONS = readFileSync(new URL('../../tcl/expr-functions.tcl', import.meta.url));

const hex = (text: string | Buffer): string => Buffer.from(text).toString('hex');

const HARNESS = `
fconfigure stdout -translation lf
proc text {hex} { return [encoding convertfrom utf-8 [binary decode hex $hex]] }
proc run {functions body} {
  set child [interp create -safe]
  interp eval $child $functions
  interp limit $child command -value 100000
  set code [catch {interp eval $child [list catch $body ::edwResult]} outcome]
  if {$code == 0} { set code $outcome; set outcome [interp eval $child {set ::edwResult}] }
  interp delete $child
  puts "$code [binary encode hex [encoding convertto utf-8 $outcome]]"
}
`;

export function runTcl(bodies: readonly string[]): Outcome[] {
  const input = [HARNESS, `set functions [text ${hex(FUNCTIONS)}]`];
  for (const body of bodies) input.push(`run $functions [text ${hex(body)}]`);
  const { stdout, stderr, status } = spawnSync('tclsh', [], {
    input: input.join('\n'),
    maxBuffer: 1 << 28,
    timeout: 60_000,
  });
  if (status !== 0 || stderr.length > 0) throw new Error(`tclsh ended with ${status}: ${stderr.toString()}`);
  const lines = stdout.toString().split('\n').slice(0, -1);
  return lines.map((line) => {
    const [code = '', result = ''] = line.split(' ');
    return { code: Number(code), result: Buffer.from(result, 'hex').toString() };
  });
}

/** The Tcl of one body in RULE_INIT, or the message of its refusal. */
export function translated(body: string): string {
  const loading = loadRule('/Common/r', `when RULE_INIT {${body}}`, { has: () => true });
  if (loading.state === 'refused') return loading.message;
  return loading.rule.handlers[0]?.body ?? '';
}
