import t from 'tap';
import { mirrorFarSide } from './fixtures/store-far-sides.ts';
import { policySources } from './sources.ts';

await policySources(t, "a copy of a store's mirror", mirrorFarSide);
