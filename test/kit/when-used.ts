/**
 * What loads hundreds of modules, loaded when it is called first: each test uses one or two of these, and loading all of
 * them takes longer than most tests.
 */
export const nginxEdition: typeof import('./nginx-editions.ts').nginxEdition = async (...given) =>
  (await import('./nginx-editions.ts')).nginxEdition(...given);
export const onEveryNginx: typeof import('./every-nginx.ts').onEveryNginx = async (...given) =>
  (await import('./every-nginx.ts')).onEveryNginx(...given);
export const privateNginx: typeof import('./real-nginx.ts').privateNginx = async (...given) =>
  (await import('./real-nginx.ts')).privateNginx(...given);
export const requireNatsServer: typeof import('./nats.ts').requireNatsServer = async (...given) =>
  (await import('./nats.ts')).requireNatsServer(...given);
export const requireNginx: typeof import('./real-nginx.ts').requireNginx = async (...given) =>
  (await import('./real-nginx.ts')).requireNginx(...given);
export const requirePrometheus: typeof import('./prometheus.ts').requirePrometheus = async (...given) =>
  (await import('./prometheus.ts')).requirePrometheus(...given);
export const requireTclsh: typeof import('./real-tclsh.ts').requireTclsh = async (...given) =>
  (await import('./real-tclsh.ts')).requireTclsh(...given);
export const startBigip: typeof import('./bigip.ts').startBigip = async (...given) =>
  (await import('./bigip.ts')).startBigip(...given);
export const startEdge: typeof import('./edge.ts').startEdge = async (...given) =>
  (await import('./edge.ts')).startEdge(...given);
export const startNatsCluster: typeof import('./nats.ts').startNatsCluster = async (...given) =>
  (await import('./nats.ts')).startNatsCluster(...given);
export const startNatsStore: typeof import('./nats-store.ts').startNatsStore = async (...given) =>
  (await import('./nats-store.ts')).startNatsStore(...given);
export const startPrometheus: typeof import('./prometheus.ts').startPrometheus = async (...given) =>
  (await import('./prometheus.ts')).startPrometheus(...given);
export const testCertificates: typeof import('./certificates.ts').testCertificates = async (...given) =>
  (await import('./certificates.ts')).testCertificates(...given);
export const testNginx: typeof import('./real-nginx.ts').testNginx = async (...given) =>
  (await import('./real-nginx.ts')).testNginx(...given);
