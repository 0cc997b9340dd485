/** Requests in plain form: what stands in a target, and at which of its borders it is unsafe. The rest is in the vectors. */
import t from 'tap';
import { plainHost, plainRequest } from '../src/request.ts';

const plain = (target: string, host?: string | string[]): string | null => {
  const request = plainRequest('GET', target, host);
  return request === null ? null : `${request.host ?? '-'} ${request.path}`;
};

t.test('a target names its authority and its path, or can not be judged', async (t) => {
  const table: [string, string | null][] = [
    ['/', '- /'],
    ['', '- /'],
    ['/?', '- /'],
    ['?', null],
    ['?/a', null],
    ['a', null],
    ['*', null],
    ['http://h', 'h /'],
    ['http://h?q', 'h /'],
    ['http://h/a?q', 'h /a'],
    ['http://h#f', null],
    ['HTTP9+.-://H.:80/a', 'h /a'],
    ['http:///a', null],
    ['http://', null],
    ['http://@h/', null],
    ['http://u@h/', null],
    ['http://h/@', 'h /@'],
    ['http:/h/', null],
    ['//h/a', '- /h/a'],
    ['/http://h/', '- /http:/h/'],
  ];
  for (const [target, expect] of table) t.equal(plain(target), expect, JSON.stringify(target));
});

t.test('an escape is decoded once; one that decodes to another is unsafe, whatever that one is', async (t) => {
  const table: [string, string | null][] = [
    ['/%41', '- /A'],
    ['/%25', '- /%'],
    ['/%25x', '- /%x'],
    ['/%250', '- /%0'],
    ['/%2500', null],
    ['/%2509', null],
    ['/%2541', null],
    ['/%25fF', null],
    ['/%20', '- / '],
    ['/%1f', null],
    ['/%00', null],
    ['/%0a', null],
    ['/%7e', '- /~'],
    ['/%7f', null],
    ['/%80', null],
    ['/%2e', '- /'],
    ['/%2F', null],
    ['/%5C', null],
    ['/%', null],
    ['/%2', null],
    ['/a?%', '- /a'],
  ];
  for (const [target, expect] of table) t.equal(plain(target), expect, target);
});

t.test('segments are resolved, and climbing above the root is unsafe', async (t) => {
  const table: [string, string | null][] = [
    ['//', '- /'],
    ['/.', '- /'],
    ['/a/', '- /a/'],
    ['/a//', '- /a/'],
    ['/a/.', '- /a/'],
    ['/a/b/..', '- /a/'],
    ['/a/..', '- /'],
    ['/a/../b', '- /b'],
    ['/..', null],
    ['/a/../..', null],
    ['/a/../../b', null],
    ['/.a', '- /.a'],
    ['/..a', '- /..a'],
    ['/...', '- /...'],
    ['/.;', null],
    ['/..;a', null],
    ['/a;..', '- /a;..'],
  ];
  for (const [target, expect] of table) t.equal(plain(target), expect, target);
});

t.test('a host is lower case, without port and final dot', async (t) => {
  const table: [string, string | null | undefined][] = [
    ['h', 'h'],
    ['H.Example', 'h.example'],
    ['AZ.ban\u212a', 'az.ban\u212a'],
    ['h:', 'h'],
    ['h:80', 'h'],
    ['h:9', 'h'],
    ['h.:65535', 'h'],
    ['[2001:DB8::1]:80', '[2001:db8::1]'],
    ['[2001:db8::1]', '[2001:db8::1]'],
    ['', null],
    ['.', null],
    [':80', null],
  ];
  for (const [authority, host] of table) t.equal(plainHost(authority), host, JSON.stringify(authority));
});

t.test('several hosts must agree in plain form', async (t) => {
  const table: [string | string[] | undefined, string, string | null][] = [
    [['a', 'A.:80'], '/', 'a /'],
    [['a', 'b'], '/', null],
    [['a', ''], '/', null],
    [['', ''], '/', '- /'],
    [[], '/', '- /'],
    ['a', 'http://a/', 'a /'],
    ['b', 'http://a/', null],
    ['', 'http://a/', null],
    [undefined, 'http://a/', 'a /'],
  ];
  for (const [host, target, expect] of table) t.equal(plain(target, host), expect, JSON.stringify([host, target]));
});
