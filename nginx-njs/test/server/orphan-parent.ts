/**
 * A parent that starts an NGINX, says its numbers and waits to be ended. Run by parent-death.test.ts.
 */
import { startNginx } from '../../driver/server/index.ts';
import { bothWorkers } from './both-workers.ts';

const [binary = '{}', prefix = '', configFile = ''] = process.argv.slice(2);
const nginx = await startNginx({ binary: JSON.parse(binary), prefix, configFile });
const workers = (await bothWorkers(nginx.pid)).map((worker) => worker.pid);
process.stdout.write(`${JSON.stringify({ master: nginx.pid, workers })}\n`);
process.stdin.on('data', () => process.exit(0)).resume();
