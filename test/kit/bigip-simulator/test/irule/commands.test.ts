/** Which commands load in which events, as probed on BIG-IP 21.1. */
import t from 'tap';
import { events } from '../../src/irule/events.ts';
import { f5Commands } from '../../src/irule/f5-commands.ts';
import { loadRule } from '../../src/irule/load-rule.ts';

const names = { has: () => true };

function refusalOf(event: string, body: string): string | null {
  const loading = loadRule('/Common/r', `when ${event} {${body}}`, names);
  return loading.state === 'refused' ? loading.message : null;
}

const EVENTS =
  'RULE_INIT CLIENT_ACCEPTED CLIENT_DATA HTTP_REQUEST LB_SELECTED SERVER_CONNECTED HTTP_RESPONSE CLIENT_CLOSED'.split(
    ' ',
  );
const FLOW = '.yyyyyyy';
const MATRIX: Record<string, string> = {
  'HTTP::uri': 'y..yyy..',
  'HTTP::status': 'y...y.y.',
  'HTTP::respond': 'y..y..y.',
  'HTTP::collect': 'y..yy.y.',
  'IP::client_addr': FLOW,
  'IP::server_addr': FLOW,
  'TCP::client_port': FLOW,
  'TCP::collect': 'yyyyyyyy',
  'TCP::payload': 'yyyyyyyy',
  'LB::server': FLOW,
  'SSL::cipher': '...yy.y.',
  pool: FLOW,
  node: FLOW,
  table: FLOW,
};

t.test('a command loads in the events in which it was accepted, and in no other', async (t) => {
  for (const [command, row] of Object.entries(MATRIX)) {
    for (const [index, event] of EVENTS.entries()) {
      const expected = `[command is not valid in current event context (${event})][${command}]`;
      if (row[index] === 'y') t.equal(refusalOf(event, command), null, `${command} in ${event}`);
      else t.match(refusalOf(event, command), expected, `${command} in ${event}`);
    }
  }
});

const DISABLED =
  'auto_execok auto_import auto_load auto_qualify cd eof exec exit fblocked fconfigure fcopy file flush gets glob ' +
  'interp load namespace open package pid pwd rename seek socket source tell time unknown update vwait';
const PRESENT =
  'after append array binary break case catch clock close concat continue encoding error eval expr fileevent for ' +
  'foreach format global if incr info join lappend lindex linsert list llength lrange lreplace lsearch lset lsort ' +
  'puts read regexp regsub return scan set split string subst switch trace unset uplevel upvar variable while';
const ABSENT =
  'auto_load_index tclLog dict lassign apply lrepeat lreverse chan lmap try throw coroutine yield tailcall zlib ' +
  'oo::class unload else elseif then';

t.test('the commands of Tcl are those of TMM', async (t) => {
  const disabled = DISABLED.split(' ');
  t.equal(disabled.length, 31);
  for (const name of disabled) t.match(refusalOf('RULE_INIT', name), `[command is disabled: "${name}"]`, name);
  for (const name of PRESENT.split(' ')) {
    const message = refusalOf('RULE_INIT', name) ?? '';
    t.notMatch(message, /undefined|disabled|scope/, name);
  }
  for (const name of ABSENT.split(' ')) t.match(refusalOf('RULE_INIT', name), `[undefined procedure: ${name}]`, name);
});

t.test('the table holds every command, and the 163 events', async (t) => {
  t.equal(events.size, 163);
  for (const command of f5Commands) t.match(command, /^[A-Za-z0-9_]+(::[A-Za-z0-9_-]+)?$/);
  for (const event of events) t.equal(refusalOf(event, 'set x 1'), null, event);
});
