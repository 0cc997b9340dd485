import t from 'tap';
import { ask, contentOf, request, type Stage, setStage, skip, webServer } from './stage.ts';

async function say(stage: Stage, path = '/'): Promise<string> {
  return contentOf((await stage.ask('/Common/v', request(path))).text);
}

t.test('handlers run by priority, then in the order of the rules, and share their variables', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.rule('/Common/a', 'when CLIENT_ACCEPTED { set seen start }\nwhen HTTP_REQUEST { append seen " a500" }');
  await stage.rule(
    '/Common/b',
    'when HTTP_REQUEST priority 10 { append seen " b10"; return; append seen never }\nwhen HTTP_REQUEST priority 600 { HTTP::respond 200 content $seen }',
  );
  await stage.rule('/Common/c', 'when HTTP_REQUEST priority 500 { append seen " c500" }');
  await stage.virtual('/Common/v', { rules: ['/Common/c', '/Common/a', '/Common/b'] });
  t.equal(await say(stage), 'start b10 c500 a500');
});

t.test('RULE_INIT runs once in each TMM; static variables belong to one TMM', { skip }, async (t) => {
  const stage = await setStage(t, { tmms: 3, preface: true });
  await stage.rule(
    '/Common/r',
    `when RULE_INIT { set static::count 0; log local0. "init on [TMM::cmp_unit] of [TMM::cmp_count]" }
when HTTP_REQUEST { HTTP::respond 200 content "[TMM::cmp_unit] [incr static::count]" }`,
  );
  await stage.virtual('/Common/v', { rules: ['/Common/r'] });
  t.strictSame(
    stage.plane.log().map((line) => line.replace(/^.* info (tmm\d?)\[\d+\]: /, '$1 ')),
    [0, 1, 2].map((unit) => `tmm${unit === 0 ? '' : unit} Rule /Common/r <RULE_INIT>: init on ${unit} of 3`),
  );
  const counts = new Map<string, number>();
  for (let port = 1000; port < 1012; port++) {
    const { text } = await stage.ask('/Common/v', `PROXY TCP4 10.0.0.9 10.0.0.1 ${port} 80\r\n${request('/')}`);
    const [unit = '', count] = contentOf(text).split(' ');
    counts.set(unit, (counts.get(unit) ?? 0) + 1);
    t.equal(Number(count), counts.get(unit), 'each TMM counts for itself');
  }
  t.equal(counts.size, 3, 'connections are spread by the port of the client');
});

t.test('procedures are called by name, also those of other rules, and keep no variables', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.put('auth partition', '/Common/other', {}).catch(() => {});
  await stage.rule(
    '/Common/lib',
    'proc twice { text {times 2} } { set out ""; for { set i 0 } { $i < $times } { incr i } { append out $text }; return $out }',
  );
  await stage.rule(
    '/Common/r',
    `proc own { name } { upvar 1 $name here; append here !; return [info exists seen] }
when HTTP_REQUEST { set seen x; set known [call own seen]; HTTP::respond 200 content "$seen $known [call /Common/lib::twice ab] [call lib::twice a 3]" }`,
  );
  await stage.virtual('/Common/v', { rules: ['/Common/r'] });
  t.equal(await say(stage), 'x! 0 abab aaa');
});

t.test('a rule that changes is new for new connections; those that are open keep the old one', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.pool('/Common/p', await webServer(t));
  const rule = (name: string): string =>
    `when HTTP_REQUEST { if { [HTTP::path] eq "/which" } { HTTP::respond 200 content "${name}:" } }`;
  await stage.rule('/Common/r', rule('old'));
  await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/r'] });
  const open = await keepOpen(stage.at('/Common/v'));
  t.match(await open.ask('/which'), /old:$/);
  await stage.rule('/Common/r', rule('new'));
  t.match(await open.ask('/which'), /old:$/);
  t.equal(await say(stage, '/which'), 'new:');
  await stage.put('ltm virtual', '/Common/v', { rules: [] });
  t.match(await open.ask('/which'), /old:$/);
  t.equal(await say(stage, '/which'), 'GET /which');
  open.close();
});

async function keepOpen(place: {
  host: string;
  port: number;
}): Promise<{ ask(path: string): Promise<string>; close(): void }> {
  const { connect } = await import('node:net');
  const socket = connect(place);
  await new Promise((resolve) => socket.once('connect', resolve));
  return {
    ask: (path) =>
      new Promise((resolve) => {
        socket.once('data', (data) => resolve(data.toString()));
        socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      }),
    close: () => socket.destroy(),
  };
}

t.test('a Tcl error is logged as on a box, ends the handlers, and resets the connection', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.rule('/Common/after', 'when HTTP_REQUEST priority 900 { log local0. "not reached" }');
  await stage.virtual('/Common/v', {});
  const cases: [string, RegExp][] = [
    ['set y $missing', /can't read "missing": no such variable {5}while executing "set y \$missing/],
    ['error "two\nlines"', /- two lines {5}while executing/],
    ['expr {1/0}', /divide by zero/],
    ['set c exec; $c ls', /invalid command name "exec"/],
    ['set c open; $c /etc/passwd', /invalid command name "open"/],
    ['set c puts; $c hello', /invalid command name "puts"/],
    ['set c dict; $c create a b', /invalid command name "dict"/],
    ['set c socket; $c 127.0.0.1 1', /invalid command name "socket"/],
    ['set c interp; $c create', /invalid command name "interp"/],
    ['set c after; $c 100', /invalid command name "after"/],
    ['whereis 1.2.3.4 country', /the simulator has no whereis/],
    ['SSL::cipher name', /the simulator has no SSL::cipher/],
    ['break', /invoked "break" outside of a loop/],
    ['call nothing', /invalid command name "nothing"/],
  ];
  for (const [command, message] of cases) {
    const text = `when HTTP_REQUEST { eval {${command}} }`;
    try {
      await stage.rule('/Common/r', text);
    } catch {
      await stage.rule('/Common/r', `when HTTP_REQUEST { set script {${command}}; eval $script }`);
    }
    await stage.virtual('/Common/v', { rules: ['/Common/r', '/Common/after'] });
    t.strictSame(await stage.ask('/Common/v', request('/')), { text: '', end: 'reset' }, command);
    t.match(
      stage.plane.log().at(-1),
      /^\w{3} [ \d]\d \d\d:\d\d:\d\d bigip\.example err tmm1?\[\d+\]: 01220001:3: TCL error: \/Common\/r <HTTP_REQUEST> - /,
    );
    t.match(stage.plane.log().at(-1), message);
  }
});

t.test('a rule that never ends is ended, whatever it catches, and its TMM goes on', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.rule(
    '/Common/r',
    `when HTTP_REQUEST {
  if { [HTTP::path] eq "/loop" } { while { 1 } { catch { while { 1 } { incr i } } } }
  HTTP::respond 200 content fine
}`,
  );
  await stage.virtual('/Common/v', { rules: ['/Common/r'] });
  t.strictSame(await stage.ask('/Common/v', request('/loop')), { text: '', end: 'reset' });
  t.match(stage.plane.log().at(-1), /TCL error: \/Common\/r <HTTP_REQUEST> - time limit exceeded/);
  t.equal(await say(stage), 'fine');
  const stat = stage.plane.ruleStats().find(({ event }) => event === 'HTTP_REQUEST');
  t.match(stat, { rule: '/Common/r', priority: 500, executions: 2, failures: 0, aborts: 1 });
});

t.test('executions and failures are counted for each handler', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.rule(
    '/Common/r',
    `when RULE_INIT { set unused 1 }
when HTTP_REQUEST priority 20 { set unused 1 }
when HTTP_REQUEST priority 30 { if { [HTTP::path] eq "/bad" } { error bad } }
when HTTP_REQUEST priority 40 { HTTP::respond 200 }`,
  );
  await stage.virtual('/Common/v', { rules: ['/Common/r'] });
  for (const path of ['/', '/bad', '/']) await say(stage, path);
  const counts = stage.plane
    .ruleStats()
    .map(({ event, priority, executions, failures, aborts }) => [event, priority, executions, failures, aborts]);
  t.strictSame(counts.sort(), [
    ['HTTP_REQUEST', 20, 3, 0, 0],
    ['HTTP_REQUEST', 30, 3, 1, 0],
    ['HTTP_REQUEST', 40, 2, 0, 0],
    ['RULE_INIT', 500, 2, 0, 0],
  ]);
  await stage.put('ltm virtual', '/Common/v', { rules: [] });
  await stage.remove('ltm rule', '/Common/r');
  t.strictSame(stage.plane.ruleStats(), []);
});

t.test('log lines say level, TMM, rule and event', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.rule(
    '/Common/r',
    `when HTTP_REQUEST {
  log local0. "plain"
  log local0.warn "two\\nlines"
  log -noname local1.error "no name"
  log "no facility"
  HTTP::respond 200
}`,
  );
  await stage.virtual('/Common/v', { rules: ['/Common/r'] });
  await say(stage);
  t.strictSame(
    stage.plane.log().map((line) => line.replace(/^.*example (\w+) tmm1?\[\d+\]: /, '$1 ')),
    [
      'info Rule /Common/r <HTTP_REQUEST>: plain',
      'warn Rule /Common/r <HTTP_REQUEST>: two lines',
      'error no name',
      'info Rule /Common/r <HTTP_REQUEST>: no facility',
    ],
  );
});

t.test('profiles, the name of the virtual server and its pool are known to its rules', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.pool('/Common/p', 1);
  await stage.rule(
    '/Common/r',
    'when HTTP_REQUEST { HTTP::respond 200 content "[virtual name] [virtual] [PROFILE::exists http] [PROFILE::exists clientssl] [LB::server pool] [active_members p]" }',
  );
  await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/r'] });
  t.equal(await say(stage), '/Common/v /Common/v 1 0 /Common/p 1');
});

t.test('a virtual server can hand on to another, which has its own rules', { skip }, async (t) => {
  const stage = await setStage(t, { preface: true });
  await stage.rule(
    '/Common/inner',
    'when HTTP_REQUEST { HTTP::respond 200 content "inner [IP::client_addr]" noserver }',
  );
  await stage.virtual('/Common/inner', { destination: '/Common/10.0.0.2:80', rules: ['/Common/inner'] });
  await stage.rule('/Common/r', 'when HTTP_REQUEST { virtual inner }');
  await stage.virtual('/Common/v', { rules: ['/Common/r'] });
  const heard = await ask(stage.at('/Common/v'), `PROXY TCP4 10.7.7.7 10.0.0.1 5 80\r\n${request('/')}`);
  t.equal(contentOf(heard.text), 'inner 10.7.7.7');
});
