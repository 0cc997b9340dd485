/**
 * `PROCEDURE.md`: the change, step by step, for the person at the console in the change window. Commands are indented
 * lines that begin with `tmsh` or another program; whatever is data in them has been quoted by `tmsh-text.ts`.
 */
import { inPartition } from '../driver/box-paths.ts';
import { MAP, PARTITION } from '../driver/layout/index.ts';
import type { Attachment } from './attachments.ts';
import type { Change } from './change.ts';
import { fileCommands } from './commands.ts';
import { commands, plain, type Step, surplusBody } from './steps.ts';
import { shellWord, tmshCommand } from './tmsh-text.ts';
import { attachSteps, backSteps } from './way-back.ts';

export interface ProcedureOptions {
  /** Where the audit collector listens: `192.0.2.10:6514`; null: the reader knows. */
  collector: string | null;
}

/** Where the folder lies on the BIG-IP. */
export function folderOnBox({ point, revision }: Change): string {
  return `/var/tmp/edgeward-${point}-${revision}`;
}

export function procedureText(change: Change, options: ProcedureOptions): string {
  const steps = [
    before(change),
    ...(change.held?.policy == null ? [oneTimePart(change, options)] : []),
    ...largeGroups(change),
    ...(change.held === null ? [keepWhatIsThere(change)] : []),
    load(change),
    ...leftovers(change),
    ...attachSteps(change),
    save(change),
    check(change),
  ];
  const numbered = steps.map(({ title, body }, index) => section(`${index + 1}. ${title}`, body));
  const back = backSteps(change, folderOnBox(change));
  return [head(change), ...numbered, section(back.title, back.body), cleanUp(change)].join('\n');
}

function section(title: string, body: readonly string[]): string {
  return `## ${title}\n\n${body.join('\n\n')}\n`;
}

function head(change: Change): string {
  const { point, revision, policyHash, madeAt, layout, held, attachments, groups, files } = change;
  const source =
    held === null
      ? 'without looking at a box. Every virtual server is taken to be in route domain 0; one that is not denies everybody, and `verify.sh` finds it'
      : `after looking at ${held.name}, which held ${held.policy === null ? 'no policy' : `revision ${held.policy.head.revision}`}. If anybody changes Edgeward's objects there before the window, make it again`;
  const written = groups.length + files.length;
  return `# Edgeward: revision ${revision} for ${point}

Policy ${policyHash}. Made ${madeAt}, ${source}.

${attachments.length} virtual servers; ${layout.groups.length} data groups, ${written} of them written by this change.

| file | what |
|---|---|
| \`forward.conf\` | the change: data groups, rules, and last the map that brings the policy into force |
${change.back.by === 'map' ? '| `back.conf` | the way back: the map as it was |\n' : ''}${files.length > 0 ? '| `data/` | large data groups, as files |\n' : ''}| \`*.irule\` | the two rules as text, to read them or to paste them into the GUI |
| \`verify.sh\`, \`verify.expected\` | compares the box with this change; reads only |
| \`MANIFEST\` | SHA-256 of every file |

Everything of Edgeward is in the partition ${PARTITION}. Only the steps that attach rules touch anything else. Commands
are for bash on the BIG-IP; at the prompt of tmsh leave out the word \`tmsh\`.
`;
}

function before(change: Change): Step {
  const folder = folderOnBox(change);
  return {
    title: 'Before the window',
    body: [
      'From inside this folder, copy it to the active unit:',
      commands([`scp -r . ${shellWord(`root@BIGIP:${folder}`)}`]),
      'There, see that it arrived whole:',
      commands([`cd ${shellWord(folder)}`, 'sha256sum --quiet -c MANIFEST']),
      'See that this unit is active, and that nobody else has changes waiting for a config-sync: they would go along.',
      commands(['tmsh show cm failover-status', 'tmsh show cm sync-status']),
      ...hazardsOf(change),
    ],
  };
}

function hazardsOf({ hazards }: Change): string[] {
  if (hazards.length === 0) return [];
  const lines = hazards.map(({ object, words, mend }) => `- ${plain(object)}: ${plain(words)}. ${plain(mend)}`);
  return ['What was found on the box, and keeps the policy from being enforced as it is written:', lines.join('\n')];
}

function oneTimePart({ held }: Change, { collector }: ProcedureOptions): Step {
  const path = inPartition;
  const logging = [
    `tmsh create ltm pool ${path('eg_collector_pool')} members add { ${collector ?? 'ADDRESS:PORT'} } monitor tcp`,
    `tmsh create sys log-config destination remote-high-speed-log ${path('eg_hsl')} pool-name ${path('eg_collector_pool')} protocol tcp`,
    `tmsh create sys log-config publisher ${path('eg_audit')} destinations add { ${path('eg_hsl')} }`,
  ];
  const map = `tmsh create ltm data-group internal ${path(MAP)} type string`;
  return {
    title: 'Once: partition, map, way of the denials',
    body: [
      held === null
        ? 'Only for the first change on this box. What "already exists" is there from an earlier one: go on.'
        : 'What "already exists" is there from an earlier attempt: go on.',
      ...(held?.hasPartition === true ? [] : [commands([`tmsh create auth partition ${PARTITION}`])]),
      ...(held?.map == null
        ? [
            'The map, empty: the rules name it, so that it must be there before them. Nothing uses it yet.',
            commands([map]),
          ]
        : []),
      ...(held?.hasPublisher === true
        ? []
        : [
            `Where denials go${collector === null ? ', with the address and port on which the audit collector listens' : ''}. Without it requests are judged, and denials are not recorded.`,
            commands(logging),
          ]),
    ],
  };
}

function largeGroups(change: Change): Step[] {
  if (change.files.length === 0) return [];
  return [
    {
      title: 'Large data groups',
      body: [
        'Their names are digests of what they hold, so one that "already exists" is the same: go on. Nothing uses them before the map does.',
        commands(change.files.flatMap((file) => fileCommands(file, `${folderOnBox(change)}/data`))),
      ],
    },
  ];
}

function keepWhatIsThere(change: Change): Step {
  const folder = folderOnBox(change);
  const [map, meta] = [change.map.fullPath, change.meta.fullPath];
  return {
    title: 'Keep what is there now',
    body: [
      `This is the way back, so keep it. A map without a record \`edgeward\` in it is no policy, and no way back. The second number of that record is the revision in force: it must be less than ${change.revision}. Otherwise stop, and export again with a larger \`--revision\`.`,
      commands([
        `tmsh -q list ltm data-group internal ${map} > ${folder}/map-before.conf`,
        `tmsh -q list ltm data-group internal ${meta} > ${folder}/meta-before.conf`,
        `tmsh -q -c 'cd /; list ltm virtual recursive destination rules' > ${folder}/virtuals-before.txt`,
      ]),
    ],
  };
}

function load(change: Change): Step {
  const file = `${folderOnBox(change)}/forward.conf`;
  return {
    title: 'Load the change',
    body: [
      'First only ask whether the box would take it; it must say nothing of an error.',
      commands([`tmsh load sys config merge file ${file} verify`]),
      'Then load it. With the map in it the policy is in force on every virtual server that has the rules; open connections stay.',
      commands([`tmsh load sys config merge file ${file}`]),
    ],
  };
}

function leftovers(change: Change): Step[] {
  if (change.surplus.length === 0 && change.held !== null) return [];
  const title = 'Take away what the change no longer has';
  if (change.held === null) {
    const line = tmshCommand([`modify ltm data-group internal ${change.map.fullPath} records delete {`, 'NAME', '}']);
    return [
      {
        title,
        body: [
          'A merge adds records and replaces them; it takes none away. `verify.sh` names those that are "not of this change": delete each by its name, the first word that is printed.',
          commands(['sh verify.sh', line ?? '']),
        ],
      },
    ];
  }
  return [{ title, body: surplusBody(change.surplus) }];
}

function save({ held }: Change): Step {
  const group = held?.syncGroup ?? null;
  const sync = tmshCommand(['run cm config-sync to-group', group === null ? 'GROUP' : { word: group }]);
  const isPair = held === null || group !== null;
  return {
    title: isPair ? 'Save, and carry it to the other unit' : 'Save',
    body: [
      'What is not saved is lost when the box restarts.',
      commands(['tmsh save sys config']),
      ...(isPair
        ? [
            held === null ? 'Of a pair, with the name of its sync-failover group:' : 'Then:',
            commands([sync ?? '', 'tmsh show cm sync-status']),
          ]
        : []),
    ],
  };
}

function check({ point, attachments, rules }: Change): Step {
  const needsNothing = attachments.every(({ state }: Attachment) => state === 'attached');
  return {
    title: 'Check',
    body: [
      `Compare the box with this folder${needsNothing ? '' : '; it also says to which virtual servers the rules are not attached'}. Of a pair, on both units.`,
      commands(['sh verify.sh']),
      'Or from where Edgeward runs, with credentials that may only read:',
      commands([`edgeward bigip verify --point ${point}`]),
      'Send a request that must pass and one that must not. `failures` and `aborts` of both rules must stay 0; each one is a client that was reset.',
      commands([`tmsh show ltm rule ${rules.l4.fullPath}`, `tmsh show ltm rule ${rules.l7.fullPath}`]),
      commands(["grep -e 'TCL error' -e edgeward: /var/log/ltm | tail"]),
    ],
  };
}

function cleanUp(change: Change): string {
  return section('Afterwards', [
    'The box has its own copy of everything. Groups of earlier revisions stay for the way back; the sync service deletes them when it next has something to write.',
    commands([`rm -r ${shellWord(folderOnBox(change))}`]),
  ]);
}
