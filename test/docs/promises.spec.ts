import { describe, expect, it } from 'vitest';
import { readPage } from '../support/markdown.js';
import { problemOf } from '../support/promise-references.js';

const PAGE = 'docs/promises.md';

/** How many rows each family of ids has at least; within a family nothing is left out. */
const FAMILIES: Readonly<Record<string, number>> = { I: 10, '2.': 15, '2.S': 7, '3.': 10, '3.S': 6 };

interface Promised {
  readonly id: string;
  readonly promise: string;
  readonly shownBy: string;
}

function rows(): Promised[] {
  return readPage(PAGE).flatMap((line) => {
    const [, id, promise, shownBy] = line
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll('\\|', '|'));
    const isRow = id !== undefined && promise !== undefined && shownBy !== undefined && !/^(id|-+)$/.test(id);
    return isRow ? [{ id, promise, shownBy }] : [];
  });
}

describe('docs/promises.md', () => {
  const promised = rows();

  it('names every numbered item and every invariant once', () => {
    const ids = promised.map(({ id }) => id);
    const expected = Object.entries(FAMILIES).flatMap(([family, count]) =>
      Array.from({ length: count }, (_, at) => `${family}${at + 1}`),
    );
    expect(ids).toEqual([...new Set(ids)]);
    expect(ids).toEqual(expect.arrayContaining(expected));
  });

  it.each(promised)('$id is shown by tests and commands that exist', ({ promise, shownBy }) => {
    expect(promise).not.toBe('');
    const references = [...shownBy.matchAll(/`([^`]+)`/g)].map(([, reference = '']) => reference);
    expect(references, 'nothing shows it').not.toEqual([]);
    expect(references.map(problemOf).filter((found) => found !== undefined)).toEqual([]);
  });
});
