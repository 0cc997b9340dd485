/** PromQL and LogQL as their own editors parse them. */
import { parser as logQlParser } from '@grafana/lezer-logql';
import type { SyntaxNode, Tree } from '@lezer/common';
import { parser as promQlParser } from '@prometheus-io/lezer-promql';

/** Where what stands in it is not the language. Empty: it parses. */
export function faultsOf(kind: 'promql' | 'logql', text: string): string[] {
  const tree = (kind === 'promql' ? promQlParser : logQlParser).parse(text);
  return nodesOf(tree, '⚠').map(({ from }) => `at ${from}: ${text.slice(from, from + 40)}`);
}

export interface Selector {
  metric: string;
  /** Labels that it narrows. */
  labels: string[];
  /** The range in brackets, where there is one. */
  range: string | null;
  /** The function that is applied to it directly, or to its range. */
  call: string | null;
}

export function selectorsOf(text: string): Selector[] {
  const tree = promQlParser.parse(text);
  const cut = (node: { from: number; to: number } | null): string =>
    node === null ? '' : text.slice(node.from, node.to);
  return nodesOf(tree, 'VectorSelector').map((node) => {
    const matrix = node.parent?.name === 'MatrixSelector' ? node.parent : null;
    const labels = nodesOf({ topNode: node }, 'LabelName').map(cut);
    return {
      metric: cut(node.getChild('Identifier')),
      labels,
      range: matrix === null ? null : (/\[([^\]]+)\]/.exec(cut(matrix))?.[1] ?? null),
      call: cut(enclosingCall(matrix ?? node)?.getChild('FunctionIdentifier') ?? null) || null,
    };
  });
}

function enclosingCall(node: SyntaxNode): SyntaxNode | null {
  for (let at = node.parent; at !== null; at = at.parent) {
    if (at.name === 'FunctionCall') return at;
    // A range may stand behind an offset, and an argument in a body of its own; anything else computes.
    if (!['FunctionCallBody', 'OffsetExpr', 'StepInvariantExpr'].includes(at.name)) return null;
  }
  return null;
}

function nodesOf({ topNode }: Pick<Tree, 'topNode'>, name: string): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  const cursor = topNode.cursor();
  do {
    if (name === '⚠' ? cursor.type.isError : cursor.name === name) found.push(cursor.node);
  } while (cursor.next() && cursor.from <= topNode.to);
  return found;
}
