import { requireNatsServer } from '@edgeward/test/kit';
import t from 'tap';
import { natsFarSide } from './fixtures/nats-far-side.ts';
import { policySources } from './sources.ts';

await requireNatsServer(t);
await policySources(t, 'a store behind NATS', natsFarSide);
