export { createDenials, type DenialsOptions, type HostDenials } from './denials.ts';
