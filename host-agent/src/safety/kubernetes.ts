/**
 * Whether this is a node of Kubernetes. There kube-proxy and the network plug-in own the packet filter, and pods come and go
 * by addresses that no policy of a host knows: Edgeward looks on there, and enforces nothing. Reads, and writes nothing.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import type { Netfilter } from '../../driver/index.ts';

const CHAIN = /^(KUBE-|cali)/;
/** What `kubeadm` and the distributions' packages leave on a node. */
const FILES = ['/var/lib/kubelet/config.yaml', '/etc/kubernetes/kubelet.conf'];

/** What says so, in words, or null. */
export async function findKubernetes(netfilter: Netfilter, root = ''): Promise<string | null> {
  return (await chainOf(netfilter)) ?? (await fileIn(root)) ?? (await processIn(`${root}/proc`));
}

async function chainOf(netfilter: Netfilter): Promise<string | null> {
  for (const family of netfilter.families) {
    const rules = await netfilter.rules(family).catch(() => new Map<string, unknown>());
    const chain = [...rules.keys()].find((name) => CHAIN.test(name));
    if (chain !== undefined) return `there is a chain ${chain}`;
  }
  return null;
}

async function fileIn(root: string): Promise<string | null> {
  for (const path of FILES) if ((await stat(`${root}${path}`).catch(() => null)) !== null) return `there is ${path}`;
  return null;
}

/** Where other users' processes are hidden, files and chains have to do. */
async function processIn(proc: string): Promise<string | null> {
  const names = (await readdir(proc).catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const name of names) {
    const words = (await readFile(`${proc}/${name}/comm`, 'utf8').catch(() => '')).trim();
    if (words === 'kubelet' || words === 'k3s-server' || words === 'k3s-agent') return `process ${name} is ${words}`;
  }
  return null;
}
