import t from 'tap';
import { httpsFarSide } from './fixtures/store-far-sides.ts';
import { policySources } from './sources.ts';

await policySources(t, 'a store over HTTPS', httpsFarSide);
