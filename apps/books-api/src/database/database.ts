import type { Kysely } from 'kysely';

export interface BooksTable {
  /** The key of a book in URLs: lower-case words joined by hyphens. */
  name: string;
  title: string;
  author: string;
  /** The year of first publication. */
  year: number;
  /** The language of the original. */
  language: string;
  /** In cents, as money is counted, not measured. */
  price_cents: number;
}

export interface ReadersTable {
  name: string;
  logins: number;
  logged_in: boolean;
}

export interface Tables {
  books: BooksTable;
  readers: ReadersTable;
}

export type Database = Kysely<Tables>;

export const DATABASE = Symbol('DATABASE');
