/** What whoever enforces needs of a store, without any way to one: no transport is loaded with it. */
export { createPointCompiler, type PointCompiler, type PointPolicy } from './point-compiler.ts';
export { type VerificationOptions, verifyState } from './verification.ts';
