/** Every command, in the order of `edgeward --help`. */
import { everydayCommands } from './everyday-commands.ts';
import type { CommandEntry } from './frame/command.ts';
import { store } from './store/store.ts';

export const commands: readonly CommandEntry[] = [...everydayCommands, store];
