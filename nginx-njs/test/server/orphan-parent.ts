/**
 * A parent that starts an NGINX, says its numbers and waits to be ended. Run by orphan.ts.
 */
import { type NginxBinary, startNginx } from '../../driver/server/index.ts';
import { bothWorkers } from './both-workers.ts';

const [text = '{}', prefix = '', configFile = ''] = process.argv.slice(2);
const binary = JSON.parse(text) as NginxBinary;
const nginx = await startNginx({ binary, prefix, configFile });
// In a container they have no numbers here.
const workers = binary.image === undefined ? (await bothWorkers(nginx.pid)).map((worker) => worker.pid) : [];
process.stdout.write(`${JSON.stringify({ master: nginx.pid, workers })}\n`);
process.stdin.on('data', () => process.exit(0)).resume();
