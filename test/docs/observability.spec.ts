import path from 'node:path';
import ts from 'typescript';
import { CacheMetrics } from '../../libs/caching/src/observe/cache-metrics.js';
import { readPage } from '../support/markdown.js';
import { ROOT } from '../support/typescript-sources.js';
import { describe, expect, it } from 'vitest';

const page = readPage('docs/observability.md');

/** The cells of the table that begins with these headings. */
function table(...headings: readonly string[]): string[][] {
  const cellsOf = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const at = page.findIndex((line) => headings.every((heading, index) => cellsOf(line)[index] === heading));
  expect(at).toBeGreaterThan(-1);
  const rest = page.slice(at + 2);
  return rest
    .slice(
      0,
      rest.findIndex((line) => !line.startsWith('|')),
    )
    .map(cellsOf);
}

const codes = (cell: string): string[] => [...cell.matchAll(/`([\w.]+)`/g)].map(([, code = '']) => code);

/** The fields of each event, as the compiler sees the union. */
function unionFields(): Map<string, Set<string>> {
  const file = path.join(ROOT, 'libs/caching/src/observe/cache-event.ts');
  const program = ts.createProgram([file], { module: ts.ModuleKind.NodeNext, strict: true, noEmit: true });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const alias = source?.statements.find(
    (statement) => ts.isTypeAliasDeclaration(statement) && statement.name.text === 'CacheEvent',
  );
  const union = checker.getTypeAtLocation(alias as ts.Node) as ts.UnionType;
  const fields = new Map<string, Set<string>>();
  for (const member of union.types) {
    const type = checker.getTypeOfSymbol(member.getProperty('type') as ts.Symbol) as ts.StringLiteralType;
    const known = fields.get(type.value) ?? new Set();
    for (const property of member.getProperties()) known.add(property.name);
    fields.set(type.value, known);
  }
  return fields;
}

describe('docs/observability.md', () => {
  it('says of each field of each event what it is, and of no other', () => {
    const union = unionFields();
    expect(union.size).toBeGreaterThan(10);
    const documented = new Map([...union.keys()].map((type) => [type, new Set<string>()]));
    for (const [field = '', of = '', what = ''] of table('field', 'of', 'what it is')) {
      expect(what).not.toBe('');
      const types = of === 'all' ? [...union.keys()] : codes(of);
      expect([...union.keys()]).toEqual(expect.arrayContaining(types));
      for (const type of types) documented.get(type)?.add(codes(field)[0] ?? '');
    }
    const listed = (fields: Map<string, Set<string>>) =>
      [...fields].map(([type, names]) => [type, [...names].sort()]);
    expect(listed(documented)).toEqual(listed(union));
  });

  it('has a row for each metric, with its kind and labels', () => {
    const { read, histograms } = new CacheMetrics(() => undefined);
    const expected = [...read, ...histograms].map(({ name, kind, labels }) => [name, kind, [...labels]]);
    const rows = table('name', 'kind', 'labels').map(([name = '', kind = '', labels = '']) => [
      codes(name)[0],
      kind.split(',')[0],
      codes(labels),
    ]);
    const byName = (one: unknown[], other: unknown[]) => String(one[0]).localeCompare(String(other[0]));
    expect(rows.sort(byName)).toEqual(expected.sort(byName));
  });
});
