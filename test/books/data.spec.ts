import { describe, expect, it } from 'vitest';
import { CLASSICS_BEFORE_1900 } from '../../apps/books-api/src/books/data/classics-before-1900.js';
import { CLASSICS_SINCE_1900 } from '../../apps/books-api/src/books/data/classics-since-1900.js';

describe('The books', () => {
  const books = [...CLASSICS_BEFORE_1900, ...CLASSICS_SINCE_1900];

  it('are at least 150, in at least ten languages', () => {
    expect(books.length).toBeGreaterThanOrEqual(150);
    expect(new Set(books.map(([, , , , language]) => language)).size).toBeGreaterThanOrEqual(10);
  });

  it('have names of their own that need no escaping in a URL', () => {
    const names = books.map(([name]) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
  });

  it('are each there once', () => {
    const works = books.map(([, title, author]) => `${title} by ${author}`);
    expect(new Set(works).size).toBe(works.length);
  });

  it('are in the file of their time, with whole years and prices in cents', () => {
    expect(CLASSICS_BEFORE_1900.filter(([, , , year]) => year >= 1900)).toEqual([]);
    expect(CLASSICS_SINCE_1900.filter(([, , , year]) => year < 1900 || year > 2000)).toEqual([]);
    expect(books.filter(([, , , year]) => !Number.isInteger(year))).toEqual([]);
    expect(books.filter(([, , , , , price]) => !(price > 0) || price !== Number(price.toFixed(2)))).toEqual(
      [],
    );
  });
});
