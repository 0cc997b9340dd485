/** Whether points enforce what they hold: marked requests through each, that must be let in or refused. */
import { steps } from '../colours.ts';
import type { Row } from '../dashboard.ts';
import { graph, timeline } from '../panels.ts';
import { lastProven, proofIs } from '../proofs.ts';
import { ofPoint } from '../selectors.ts';
import { lines } from '../targets.ts';

export const proof: Row = {
  title: 'Is every object enforced?',
  panels: [
    timeline({
      title: 'Proven, over time',
      description:
        'A band for each object: green while its last proof succeeded. Red: it failed, was never made, or is old. `edgeward status` says what was seen.',
      unit: 'none',
      width: 12,
      height: 9,
      states: { '0': { text: 'not proven', color: 'red' }, '1': { text: 'proven', color: 'green' } },
      targets: [lines('A', proofIs('proven'), '{{point}} {{object}}')],
    }),
    graph({
      title: 'Time since the last proof',
      description:
        'Of objects that were proven at least once. Proofs come once a minute; a line that climbs is a proof that fails or gets no answer.',
      unit: 's',
      width: 6,
      height: 9,
      colours: steps([180, 'orange'], [600, 'red']),
      targets: [lines('A', `time() - ${lastProven}`, '{{point}} {{object}}')],
    }),
    graph({
      title: 'Proofs that failed, a second',
      description:
        'By what was wrong. not-refused: nothing refused the request. wrong-verdict: it was judged otherwise than the policy says. other-object, other-policy: somebody else answers there. no-answer: nobody does.',
      unit: 'cps',
      width: 6,
      height: 9,
      stacked: true,
      targets: [
        lines(
          'A',
          `sum by (object, kind) (rate(${ofPoint('edgeward_proof_failures_total')}[$__rate_interval]))`,
          '{{object}} {{kind}}',
        ),
      ],
    }),
  ],
};
