/** Writes the vectors of `policy-format/conformance/vectors`: `node --conditions=edgeward-source policy-format/test/vectors/write.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { allVectors, vectorText } from './all-vectors.ts';

const folder = join(import.meta.dirname, '..', '..', 'conformance', 'vectors');
for (const [name, file] of await allVectors()) writeFileSync(join(folder, `${name}.json`), vectorText(file));
