/**
 * The rules at work: one tclsh with its TMMs and what is loaded into it. An engine lives as long as its tclsh; when that
 * dies, somebody starts another.
 */
import { EdgewardError } from '@edgeward/runtime';
import type { LoadedRule } from '../irule/loaded-rule.ts';
import { type Chain, createChain } from './chain.ts';
import type { RuleStats } from './rule-stats.ts';
import { handlersOf, loadRuleVersion, type RuleVersion } from './rule-version.ts';
import { openTclSession, type SessionEvents, type TclSession } from './tcl-session.ts';
import { bytesOf } from './tcl-words.ts';
import { expressionFunctions, type Tclsh } from './tclsh.ts';

export interface Engine {
  readonly session: TclSession;
  load(rule: LoadedRule): RuleVersion;
  chain(virtual: string, profiles: readonly string[], rules: readonly RuleVersion[]): Chain;
}

export interface EngineOptions extends Omit<SessionEvents, 'onInitialized'> {
  tclsh: Tclsh;
  tmms: number;
  hostname: string;
  stats: RuleStats;
}

/** Throws EDW_ERR_TCLSH_FAILED. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { stats, tmms, tclsh } = options;
  const initializing = new Map<number, LoadedRule>();
  let numbers = 0;
  let end = '';
  const session = openTclSession(tclsh, {
    ...options,
    onInitialized(version, run) {
      const rule = initializing.get(version);
      if (rule === undefined) return;
      const handlers = handlersOf(rule, 'RULE_INIT');
      stats.count(
        handlers.map(({ event, priority }) => stats.of(rule.fullPath, event, priority)),
        run,
      );
    },
    onEnd(reason) {
      end = reason;
      options.onEnd(reason);
    },
  });
  session.send('start', tmms, expressionFunctions(), bytesOf(options.hostname));
  await session.ping();
  if (session.dead) throw tclshFailed(tclsh, end);
  const nextNumber = (): number => ++numbers;
  return {
    session,
    load(rule) {
      const number = nextNumber();
      initializing.set(number, rule);
      stats.loaded(rule);
      const version = loadRuleVersion(session, number, rule);
      void session.ping().then(() => initializing.delete(number));
      return version;
    },
    chain: (virtual, profiles, rules) => createChain({ session, stats, tmms, nextNumber, virtual, profiles, rules }),
  };
}

function tclshFailed({ command }: Tclsh, reason: string): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_TCLSH_FAILED',
    `starting the data plane of a simulated BIG-IP with ${command.join(' ')}: ${reason}`,
    { mend: 'Run the program by hand: it must be a working Tcl 8.6. On Debian: apt-get install tcl.' },
  );
}
