import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { readPage } from '../support/markdown.js';
import { parse } from '../support/typescript-sources.js';

/** The texts that a union of `cache/reasons.ts` consists of. */
function reasonsOf(name: string): string[] {
  const found: string[] = [];
  const source = parse('libs/caching/src/cache/reasons.ts');
  source.forEachChild((node) => {
    if (!ts.isTypeAliasDeclaration(node) || node.name.text !== name || !ts.isUnionTypeNode(node.type)) return;
    for (const each of node.type.types)
      if (ts.isLiteralTypeNode(each) && ts.isStringLiteral(each.literal)) found.push(each.literal.text);
  });
  return found;
}

/** What stands in the first column between two headings, or in code at the start of a paragraph. */
function namedUnder(heading: string): string[] {
  const lines = readPage('docs/troubleshooting.md');
  const from = lines.indexOf(heading);
  const to = lines.findIndex((line, at) => at > from && line.startsWith('## '));
  return lines.slice(from, to).flatMap((line) => /^(?:\| )?`([\w-]+)`/.exec(line)?.[1] ?? []);
}

describe('docs/troubleshooting.md', () => {
  it.each([
    ['BypassReason', '## Bypassed: neither read nor stored'],
    ['SkipReason', '## Missed and not stored'],
  ])('explains every %s, and no other', (name, heading) => {
    const reasons = reasonsOf(name);
    expect(reasons.length).toBeGreaterThan(8);
    expect(namedUnder(heading).sort()).toEqual(reasons.sort());
  });
});
