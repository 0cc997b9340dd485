import type { Digest } from './compile.ts';
import { compilePoint } from './compile.ts';
import { viewOf } from './compiled-view.ts';
import type { LoadedPolicy } from './decide.ts';
import { decide } from './decide.ts';
import { findingAt } from './field-reader.ts';
import type { Finding } from './finding.ts';
import type { Flow, Verdict } from './flow.ts';
import { describeFlow } from './flow-text.ts';
import type { Resolution } from './resolve.ts';

/** The tests that a policy brings along: flows and what must become of them. */
export interface TestResult {
  policy: string;
  flow: Flow;
  expect: 'allow' | 'deny';
  got: Verdict;
  passed: boolean;
  file: string;
  line: number;
}

/** Judges every test. Where only the inventory moved, one that fails is a warning. */
export function runPolicyTests(
  resolution: Resolution,
  views: ObjectViews,
  inventoryOnly: boolean,
): { results: TestResult[]; findings: Finding[] } {
  const results: TestResult[] = [];
  const findings: Finding[] = [];
  resolution.model.policies.forEach((policy) => {
    policy.value.tests.forEach((test, i) => {
      const got = decide(views.forObject(test.flow.to), test.flow);
      const place = policy.document.locate(['tests', i]);
      const passed = got.verdict === test.expect;
      results.push({
        policy: policy.value.name,
        flow: test.flow,
        expect: test.expect,
        got,
        passed,
        file: policy.document.file,
        line: place.line,
      });
      if (passed) return;
      const message = `${describeFlow(test.flow)}: expected ${test.expect}, got ${got.verdict} (${got.reason}${got.rule === null ? '' : ` by '${got.rule}'`})`;
      findings.push(
        findingAt(
          policy.document,
          ['tests', i],
          inventoryOnly ? 'EDW_WARN_TEST_FAILED' : 'EDW_ERR_TEST_FAILED',
          message,
        ),
      );
    });
  });
  return { results, findings };
}

/** The policy of the point that protects an object. */
export interface ObjectViews {
  forObject(name: string): LoadedPolicy;
}

/** Views of the points that are asked for, each compiled once. */
export function pointViews(resolution: Resolution, digest: Digest): ObjectViews {
  const points: Record<string, string> = Object.create(null);
  resolution.objects.forEach((object) => {
    points[object.name] = object.point;
  });
  const views: Record<string, LoadedPolicy> = Object.create(null);
  return {
    forObject: (name) => {
      // An object that no point protects is unknown to every point; any view says so.
      const point = points[name] ?? '';
      const known = views[point];
      if (known !== undefined) return known;
      const view = viewOf(compilePoint(resolution, point, { revision: 0, digest }));
      views[point] = view;
      return view;
    },
  };
}
