/**
 * What NGINX answers instead of the hook, in a server that has it: error pages of requests that it refuses before the
 * hook, and of the refusal itself; access rules of its own. Tried on NGINX 1.26.
 */
import { everyDirective } from './configuration.ts';
import { finding, type ServerFinding } from './finding.ts';
import { onlyReturns } from './hook.ts';
import { inherited, type Server, type Servers } from './servers.ts';

/**
 * Refused while a request is read, or by its certificate: an error page that is a named location is entered behind the
 * place where the hook is. A path as error page is judged like any other. Where there is no URI yet (408, 414, 505) NGINX
 * enters no named location.
 */
const BEFORE_HOOK = new Set(['400', '405', '421', '494', '495', '496', '497', '501']);

export function answerFindings({ servers, http }: Servers): ServerFinding[] {
  return servers
    .filter(({ hook }) => hook !== null)
    .flatMap((server) => {
      const pages = inherited(server, http, 'error_page');
      return [...earlyPages(server, pages), ...replacedRefusals(server, pages), ...ownAccess(server, http)];
    });
}

type Pages = ReturnType<typeof inherited>;

/** The named location is missing, or hands nothing out but what is written in it. */
function isHarmless(block: Server['block'], name: string): boolean {
  const location = block.find((it) => it.name === 'location' && it.args[0] === name);
  return location === undefined || onlyReturns(location.block ?? []);
}

function earlyPages({ block, title }: Server, pages: Pages): ServerFinding[] {
  return pages.flatMap((page) => {
    const target = page.args.at(-1) ?? '';
    const codes = page.args.filter((code) => BEFORE_HOOK.has(code)).join(', ');
    if (codes === '') return [];
    if (target.startsWith('$')) {
      const message = `can't tell where \`error_page ${codes} ${target}\` of ${title} leads: into a named location it would be unjudged`;
      return [finding('unknown', 'EDW_ERR_NGINX_NAMED_ERROR_PAGE', page, message)];
    }
    if (!target.startsWith('@') || isHarmless(block, target)) return [];
    const message = `${title}: NGINX gives ${codes} before the hook and then enters ${target}, unjudged: whoever sends such a request reaches what is there`;
    return [finding('error', 'EDW_ERR_NGINX_NAMED_ERROR_PAGE', page, message)];
  });
}

/** The refusal of protect.conf has a text, and so no error page takes it; one written by hand may have none. */
function replacedRefusals({ hook, title }: Server, pages: Pages): ServerFinding[] {
  const page = pages.find(({ args }) => args.slice(0, -1).includes('403'));
  if (hook === null || hook.hasText || page === undefined) return [];
  const message = `${title}: \`error_page 403 ${page.args.at(-1)}\` answers who was refused${page.args.at(-1)?.startsWith('@') ? ', with what is in that location' : ''}, and without a reference`;
  return [finding('error', 'EDW_ERR_NGINX_REFUSAL_REPLACED', hook.directive, message)];
}

/** Once a server: many have hundreds of such lines. */
function ownAccess({ block, title }: Server, http: Servers['http']): ServerFinding[] {
  const own = [...everyDirective(block)].filter(({ name }) => name === 'allow' || name === 'deny');
  const rules = own.length > 0 ? own : http.filter(({ name }) => name === 'deny');
  const first = rules.find(({ name }) => name === 'deny');
  if (first === undefined) return [];
  const message = `${title} has ${rules.length} allow and deny of its own: they refuse what the policy allows, and leave no deny event`;
  return [finding('warning', 'EDW_WARN_NGINX_OWN_ACCESS', first, message)];
}
