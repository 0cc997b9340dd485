/** What `set` says of one variable in a server. */
import { type Directive, everyDirective, type Place } from './configuration.ts';

/** `value`: one word for every request. `variable`: it depends on the request, or on a condition. */
export type Setting =
  | { state: 'none' }
  | { state: 'value'; value: string; place: Place }
  | { state: 'variable'; text: string; place: Place };

/** The last of these directives counts. */
export function settingIn(directives: readonly Directive[], variable: string): Setting {
  let setting: Setting = { state: 'none' };
  for (const directive of directives) {
    const isConditional = directive.name === 'if';
    for (const { name, args, file, line } of isConditional ? everyDirective(directive.block ?? []) : [directive]) {
      const text = args[1] ?? '';
      if (name !== 'set' || args[0] !== variable) continue;
      const place = { file, line };
      const isVariable = isConditional || text.includes('$');
      setting = isVariable ? { state: 'variable', text, place } : { state: 'value', value: text, place };
    }
  }
  return setting;
}
