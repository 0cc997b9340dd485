/** The two of Debian 14 are one NGINX, with either engine of its njs. */
export type NginxEditionName = 'debian-12' | 'debian-13' | 'debian-14-njs' | 'debian-14-qjs' | 'debian-13-lua';

/** Those that a pushed policy can live in. Debian 12's njs has no shared memory for it. */
export const liveEditions: readonly NginxEditionName[] = ['debian-13', 'debian-14-njs', 'debian-14-qjs'];
