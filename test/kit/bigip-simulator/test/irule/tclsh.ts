/** Runs translated bodies in a real tclsh, each in a safe interpreter of its own, and says what came out. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { loadRule } from '../../src/irule/load-rule.ts';
import { tclsh } from '../tclsh.ts';

export interface Outcome {
  /** Tcl's: 0 ok, 1 error, 2 return. A body that is refused has none. */
  code: number | 'refused';
  result: string;
}

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
  const [program = '', ...words] = tclsh.command;
  const { stdout, stderr, status } = spawnSync(program, words, {
    env: { ...process.env, ...tclsh.env },
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

/** What the bodies give in RULE_INIT, or the message of their refusal. */
export function evaluate(bodies: readonly string[]): Outcome[] {
  const loadings = bodies.map((body) => loadRule('/Common/r', `when RULE_INIT {${body}}`, { has: () => true }));
  const loaded = loadings.flatMap((loading) => (loading.state === 'loaded' ? loading.rule.handlers : []));
  const outcomes = runTcl(loaded.map(({ body }) => body)).values();
  return loadings.map((loading) => {
    if (loading.state === 'refused') return { code: 'refused', result: loading.message };
    return outcomes.next().value ?? { code: 1, result: 'nothing came out' };
  });
}
