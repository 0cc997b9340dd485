/** What is chosen at the top, for tests that only look at queries. */
import type { DashboardVariable } from './committed.ts';
import type { Choices, Interpolation, Span } from './interpolation.ts';

/** As a dashboard opens: the last hour, everything. */
export const opened: Span = {
  fromMs: Date.parse('2026-11-23T09:00:00Z'),
  toMs: Date.parse('2026-11-23T10:00:00Z'),
  stepMs: 15_000,
  scrapeMs: 15_000,
};

export const everything: Choices = {
  job: ['$__all'],
  instance: ['$__all'],
  point: ['$__all'],
  object: ['$__all'],
  reason: ['$__all'],
  verdict: 'deny',
  source: '',
  ref: '',
};

export const asOpened = (variables: readonly DashboardVariable[], choices: Choices = {}): Interpolation => ({
  variables,
  choices: { ...everything, ...choices },
  span: opened,
});
