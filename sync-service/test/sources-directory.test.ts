import t from 'tap';
import { directoryFarSide } from './fixtures/directory-far-side.ts';
import { policySources } from './sources.ts';

await policySources(t, 'a directory', directoryFarSide);
