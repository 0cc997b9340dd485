import { readFileSync } from 'node:fs';

/** Of this installation, from its package.json. */
const { version: read } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export const version: string = read;
