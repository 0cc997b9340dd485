/** Every vector whose object a host can carry, by real connections through a real packet filter. */
import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { hostVectors, inSix, proveVectors } from './host-vectors.ts';

requireHosts(t);
// What is not answered takes its time, on each host.
t.jobs = 4;
const { carried: vectors, nowhere } = hostVectors();

t.test('a host judges the vectors as they say', async (t) => {
  const ran = await proveVectors(t, 'nft', vectors);
  t.comment(`${ran} vectors ran on a host; ${nowhere.length} ask for an object that stands nowhere`);
  t.equal(ran, vectors.length, 'none was left out');
  t.ok(ran >= 35 && nowhere.every(({ expect }) => expect.reason === 'unknown-object'), 'all that a host can carry');
});

t.test('a host judges the same vectors over IPv6', async (t) => {
  const six = inSix(vectors);
  t.equal(await proveVectors(t, 'nft', six), six.length, 'none was left out');
  t.ok(six.length >= 30, 'nearly all speak of IPv4 alone');
});

t.test('a host whose rules live in iptables-legacy judges them alike', async (t) => {
  t.equal(await proveVectors(t, 'legacy', vectors), vectors.length, 'none was left out');
});

t.test('and over IPv6 as well', async (t) => {
  const some = inSix(vectors).filter((_, index) => index % 4 === 0);
  t.equal(await proveVectors(t, 'legacy', some), some.length, 'none was left out');
});
