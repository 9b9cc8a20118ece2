import type { Answer } from './books-app.js';

export interface SampleBook {
  name: string;
  title: string;
  author: string;
  year: number;
  language: string;
  price: number;
}

/** A book that isn't in the shop, in a language that no other book is in. */
export function newBook(name: string): SampleBook {
  return {
    name,
    title: `Title of ${name}`,
    author: 'Nobody',
    year: 2000,
    language: `Language of ${name}`,
    price: 1,
  };
}

export function booksOf({ text }: Answer): SampleBook[] {
  const parsed = JSON.parse(text) as SampleBook[] | { books: SampleBook[] };
  return Array.isArray(parsed) ? parsed : parsed.books;
}

export function priceOf(answer: Answer, name: string): number | undefined {
  return booksOf(answer).find((book) => book.name === name)?.price;
}
