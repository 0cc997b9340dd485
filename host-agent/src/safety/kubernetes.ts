/**
 * Whether this is a node of Kubernetes. There kube-proxy and the network plug-in own the packet filter, and pods come and go
 * by addresses that no policy of a host knows: Edgeward looks on there, and enforces nothing. Reads, and writes nothing.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import type { RunTool } from '../../driver/index.ts';
import { program } from '../../driver/netfilter/netfilter.ts';

/** As `iptables-save` declares them, of whichever table: kube-proxy's, Calico's, Cilium's. */
const CHAIN = /^:((?:KUBE-|cali|CILIUM_)\S*) /m;
/** What `kubeadm`, the distributions' packages, k3s, RKE2 and MicroK8s leave on a node. */
const FILES = [
  '/var/lib/kubelet/config.yaml',
  '/etc/kubernetes/kubelet.conf',
  '/var/lib/rancher/k3s/agent',
  '/var/lib/rancher/rke2/agent',
  '/var/snap/microk8s/current/args/kubelet',
];
const PROCESSES: ReadonlySet<string> = new Set(['kubelet', 'kubelite', 'k3s', 'k3s-server', 'k3s-agent', 'rke2']);

export interface NodeOptions {
  run: RunTool;
  /** Before every path. */
  root?: string;
  /** Who runs what counts: a process of anybody else may be called anything. */
  uid?: number;
}

/** What says so, in words, or null. */
export async function findKubernetes({ run, root = '', uid = 0 }: NodeOptions): Promise<string | null> {
  return (await chainIn(run)) ?? (await fileIn(root)) ?? (await processIn(`${root}/proc`, uid));
}

/** In whichever backend: Kubernetes chooses its own. Without naming a table, as one of legacy would be made by being named. */
async function chainIn(run: RunTool): Promise<string | null> {
  for (const backend of ['nft', 'legacy'] as const)
    for (const family of ['inet', 'inet6'] as const) {
      const answer = await run({ program: program(family, backend, 'save'), args: [] }).catch(() => null);
      const chain = CHAIN.exec(answer?.stdout ?? '')?.[1];
      if (chain !== undefined) return `there is a chain ${chain}`;
    }
  return null;
}

async function fileIn(root: string): Promise<string | null> {
  for (const path of FILES) if ((await stat(`${root}${path}`).catch(() => null)) !== null) return `there is ${path}`;
  return null;
}

/** Where other users' processes are hidden, files and chains have to do. */
async function processIn(proc: string, uid: number): Promise<string | null> {
  const pids = (await readdir(proc).catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const words = (await readFile(`${proc}/${pid}/comm`, 'utf8').catch(() => '')).trim();
    if (PROCESSES.has(words) && (await stat(`${proc}/${pid}`).catch(() => null))?.uid === uid)
      return `process ${pid} is ${words}`;
  }
  return null;
}
