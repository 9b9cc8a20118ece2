import ts from 'typescript';
import { parse } from './typescript-sources.js';

/** Where a test stands: the titles around it and its own, templates as they are written. */
export type TitleChain = readonly string[];

const BLOCKS = new Set(['it', 'test', 'describe', 'suite']);
const NOT_RUN = new Set(['skip', 'todo']);

/** The titles of a spec's tests and groups that run, read from its source. Titles that are computed are not there. */
export function titlesOf(spec: string): TitleChain[] {
  const found: TitleChain[] = [];
  collect(parse(spec), [], found);
  return found;
}

function collect(node: ts.Node, around: TitleChain, found: TitleChain[]): void {
  const block = ts.isCallExpression(node) ? blockOf(node) : undefined;
  if (block?.runs === false) return;
  const here = block === undefined ? around : [...around, block.title];
  if (block !== undefined) found.push(here);
  ts.forEachChild(node, (child) => collect(child, here, found));
}

interface Block {
  readonly title: string;
  readonly runs: boolean;
}

/** `it('…')`, `describe.skip('…')`, `it.each(rows)('…')`, and so on. */
function blockOf({ expression, arguments: [first] }: ts.CallExpression): Block | undefined {
  const title = first && literalText(first);
  if (title === undefined) return undefined;
  let runs = true;
  let callee: ts.Expression = expression;
  while (!ts.isIdentifier(callee)) {
    if (ts.isPropertyAccessExpression(callee)) {
      runs &&= !NOT_RUN.has(callee.name.text);
      callee = callee.expression;
    } else if (ts.isCallExpression(callee)) {
      callee = callee.expression;
    } else if (ts.isTaggedTemplateExpression(callee)) {
      callee = callee.tag;
    } else {
      return undefined;
    }
  }
  return BLOCKS.has(callee.text) ? { title, runs } : undefined;
}

function literalText(node: ts.Expression): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  return ts.isTemplateExpression(node) ? node.getText().slice(1, -1) : undefined;
}
