/**
 * Where the hook stands in a server, and what NGINX may answer before it. NGINX runs the directives of its rewrite module
 * in the order of writing; a `return`, a `break` or a rewrite that ends the run leaves the hook out. Tried on NGINX 1.26.
 */
import { type Directive, everyDirective } from './configuration.ts';
import { REFUSED } from './hybrid.ts';

export interface Hook {
  directive: Directive;
  /** What can end the run before the hook is reached. */
  before: Directive[];
  /** Of the `return` in it. */
  hasText: boolean;
}

/** In this list of directives itself, not below. */
export function hookIn(block: readonly Directive[]): Hook | null {
  const index = block.findIndex(isHook);
  const directive = block[index];
  if (directive === undefined) return null;
  const before = block.slice(0, index).filter(endsRun);
  const refusal = (directive.block ?? []).find(({ name }) => name === 'return');
  return { directive, before, hasText: (refusal?.args[1] ?? '') !== '' };
}

/** In a location, or an `if` of one. */
export function hookBelow(block: readonly Directive[]): Directive | null {
  for (const { block: inside } of block)
    for (const directive of everyDirective(inside ?? [])) if (isHook(directive)) return directive;
  return null;
}

/** A refusal of whatever does not pass: protect.conf, or the same written by hand. */
function isHook({ name, args, block }: Directive): boolean {
  if (name !== 'if' || block === null) return false;
  const condition = conditionOf(args);
  const asks =
    /^\$edgeward_denied( != "?0"?)?$/.test(condition) ||
    condition === REFUSED ||
    /^\$edgeward_verdict != "?pass"?$/.test(condition);
  return asks && block.some((it) => it.name === 'return' && /^[45]\d\d$/.test(it.args[0] ?? ''));
}

/** Asks whether the verdict is some word of refusal: the empty verdict of a handler that failed is none. */
export function failsOpen({ name, args, block }: Directive): boolean {
  return name === 'if' && block !== null && /^\$edgeward_verdict( =| ~|$)/.test(conditionOf(args));
}

function conditionOf(args: readonly string[]): string {
  return args.join(' ').replace(/^\( ?/, '').replace(/ ?\)$/, '');
}

/** What answers, or ends the run, before what follows. A plain rewrite without a flag goes on. */
function endsRun({ name, args, block }: Directive): boolean {
  if (name === 'return' || name === 'break') return true;
  if (name === 'if') return (block ?? []).some(endsRun);
  if (name !== 'rewrite') return false;
  const [, to = '', flag] = args;
  return flag !== undefined || /^(https?:\/\/|\$scheme)/.test(to);
}

/** Whatever the request, it is answered by a `return` that stands here, and nothing lies behind. */
export function onlyReturns(block: readonly Directive[]): boolean {
  return block.find(endsRun)?.name === 'return';
}
