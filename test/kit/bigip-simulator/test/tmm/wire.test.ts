import { spawnSync } from 'node:child_process';
import t from 'tap';
import { createFrameReader } from '../../src/tmm/frame-reader.ts';
import { tclLine } from '../../src/tmm/tcl-words.ts';
import { skip, tclsh } from '../tclsh.ts';
import { awkwardTexts } from './awkward-texts.ts';

t.test('any bytes reach Tcl as one element of a list, and come back as they were', { skip }, async (t) => {
  const texts = awkwardTexts(400);
  const script = `fconfigure stdin -translation binary; fconfigure stdout -translation binary
    while {[gets stdin line] >= 0} {
      lassign $line plain nested
      set out ""
      foreach field [list $plain [lindex $nested 0] [lindex $nested 1 0] [llength $line]] {append out [string length $field] : $field}
      puts -nonewline [string length $out]:$out
    }; exit`;
  const lines = texts.map((text) => tclLine([text, [text, [text, 'x']]]));
  for (const line of lines) t.equal(line.indexOf('\n'), line.length - 1, 'one line');
  const input = Buffer.from(`eval [read stdin ${script.length}]\n${script}${lines.join('')}`, 'latin1');
  const [program = '', ...words] = tclsh.command;
  const env = { ...process.env, ...tclsh.env };
  const { stdout, stderr } = spawnSync(program, words, { env, input, maxBuffer: 1 << 28 });
  t.equal(stderr.toString(), '');
  const frames: string[][] = [];
  const read = createFrameReader((fields) => frames.push(fields));
  for (let at = 0; at < stdout.length; at += 977) read(stdout.subarray(at, at + 977));
  t.equal(frames.length, texts.length);
  for (const [index, text] of texts.entries()) t.strictSame(frames[index], [text, text, text, '2']);
});

t.test('frames arrive whole, however they are cut', async (t) => {
  const fields = ['', 'a', '1:x', '\n', '\0\xff'.repeat(500)];
  const inner = fields.map((field) => `${field.length}:${field}`).join('');
  const stream = Buffer.from(`${inner.length}:${inner}`.repeat(3), 'latin1');
  for (const size of [1, 2, 7, 100, 5000]) {
    const frames: string[][] = [];
    const read = createFrameReader((frame) => frames.push(frame));
    for (let at = 0; at < stream.length; at += size) read(stream.subarray(at, at + size));
    t.strictSame(frames, [fields, fields, fields], `pieces of ${size}`);
  }
});
