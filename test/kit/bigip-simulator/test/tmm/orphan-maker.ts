/** Starts a data plane, says so, and waits to be killed. */
import { createLogger } from '@edgeward/runtime';
import { createBoxConfig } from '../../src/config/create-box-config.ts';
import { loadRule } from '../../src/irule/load-rule.ts';
import { startDataPlane } from '../../src/tmm/data-plane.ts';
import { tclsh } from '../tclsh.ts';

const hostname = 'bigip.example';
const config = createBoxConfig({ version: '17.1.2', loadRule, hostname });
const logger = createLogger({ level: 'silent' });
await startDataPlane({ config, loadRule, tclsh, tmms: 2, preface: false, hostname, logger });
process.stdout.write('started\n');
setInterval(() => {}, 60_000);
