/** What `nft monitor` prints, as nft 1.0.6 printed it, read. */
import t from 'tap';
import { readMonitorLine } from '../../src/guard/monitor-line.ts';

t.test('a line is near our rules, or far from them; what cannot be read is near', async (t) => {
  const near = [
    'add table ip filter',
    'delete table ip6 filter',
    'add chain ip filter INPUT { type filter hook input priority filter; policy accept; }',
    'insert rule ip filter INPUT counter packets 0 bytes 0 jump EW-IN',
    'delete rule ip6 filter FORWARD handle 3',
    'insert rule ip filter OUTPUT counter packets 0 bytes 0 jump EW-OUT',
    'delete chain ip filter EW-POL-12',
    '# ERROR: We lost some netlink events!',
    'a word of another version',
    '',
  ];
  const far = [
    'add table inet foreign',
    'add table ip nat',
    'delete chain ip nat PREROUTING',
    'add rule ip filter DOCKER-USER counter packets 0 bytes 0 return',
    'add rule inet filter INPUT counter packets 0 bytes 0 accept',
    'add rule ip nat INPUT counter packets 0 bytes 0 accept',
    'add set ip filter theirs { type ipv4_addr; }',
    'add element ip filter theirs { 10.0.0.1 }',
    'add rule ip filter NOT-EW-IN counter packets 0 bytes 0 jump INPUT',
  ];
  for (const line of near) t.equal(readMonitorLine(line).kind, 'near', line);
  for (const line of far) t.equal(readMonitorLine(line).kind, 'far', line);
});

t.test('who wrote is a number and a word, whatever a process calls itself', async (t) => {
  const ends = {
    '# new generation 3 by process 26213 (iptables-nft)': { pid: 26213, name: 'iptables-nft' },
    '# new generation 9 by process 1 (a) (b)': { pid: 1, name: 'a???b' },
    '# new generation 9 by process 7 (\u001b[31m"; rm -rf)': { pid: 7, name: '??31m???rm?-rf' },
    '# new generation 9 by process 7 ()': { pid: 7, name: '' },
    '# new generation 9': null,
  };
  for (const [line, process] of Object.entries(ends)) {
    const seen = readMonitorLine(line);
    t.strictSame(seen, { kind: 'end', process }, line);
  }
});
