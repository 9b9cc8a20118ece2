import { setTimeout as wait } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { type BooksTable, DATABASE, type Database } from '../database/database.js';
import { SETTINGS, type Settings } from '../settings.js';
import type { Book, NewBookDto } from './book.dto.js';
import type { ListQueryDto } from './list-query.dto.js';
import type { SearchDto } from './search.dto.js';

export interface BookPage {
  page: number;
  limit: number;
  total: number;
  books: Book[];
}

export interface LanguageCount {
  language: string;
  books: number;
}

@Injectable()
export class BooksService {
  constructor(
    @Inject(DATABASE) private readonly db: Database,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  async list({ page, limit, author, language, sort, order }: ListQueryDto): Promise<BookPage> {
    // The artificial part, instead of a table with millions of rows. A timer, as pg_sleep in the embedded
    // database would hold the whole process.
    await wait(this.settings.slowMs);
    let found = this.db.selectFrom('books');
    if (author !== undefined) found = found.where(sql<boolean>`strpos(lower(author), lower(${author})) > 0`);
    if (language !== undefined) found = found.where('language', '=', language);
    const { total } = await found
      .select(({ fn }) => fn.countAll<string>().as('total'))
      .executeTakeFirstOrThrow();
    const rows = await found
      .selectAll()
      .orderBy(sort === 'price' ? 'price_cents' : sort, order)
      .orderBy('name')
      .limit(limit)
      .offset((page - 1) * limit)
      .execute();
    return { page, limit, total: Number(total), books: rows.map(toBook) };
  }

  async find(name: string): Promise<Book | undefined> {
    const row = await this.db.selectFrom('books').selectAll().where('name', '=', name).executeTakeFirst();
    return row && toBook(row);
  }

  async search({ text, language, limit }: SearchDto): Promise<Book[]> {
    const words = sql`to_tsvector('simple', title || ' ' || author)`;
    const wanted = sql`websearch_to_tsquery('simple', ${text})`;
    let found = this.db.selectFrom('books').where(sql<boolean>`${words} @@ ${wanted}`);
    if (language !== undefined) found = found.where('language', '=', language);
    const rows = await found
      .selectAll()
      .orderBy(sql`ts_rank(${words}, ${wanted})`, 'desc')
      .orderBy('name')
      .limit(limit)
      .execute();
    return rows.map(toBook);
  }

  /** The youngest books first. */
  async latest(limit: number): Promise<Book[]> {
    const rows = await this.db
      .selectFrom('books')
      .selectAll()
      .orderBy('year', 'desc')
      .orderBy('name')
      .limit(limit)
      .execute();
    return rows.map(toBook);
  }

  async languages(): Promise<LanguageCount[]> {
    const rows = await this.db
      .selectFrom('books')
      .select(['language', ({ fn }) => fn.countAll<string>().as('books')])
      .groupBy('language')
      .orderBy('books', 'desc')
      .orderBy('language')
      .execute();
    return rows.map(({ language, books }) => ({ language, books: Number(books) }));
  }

  /** False where a book of that name exists. */
  async add({ price, ...book }: NewBookDto): Promise<boolean> {
    const added = await this.db
      .insertInto('books')
      .values({ ...book, price_cents: toCents(price) })
      .onConflict((conflict) => conflict.doNothing())
      .returning('name')
      .executeTakeFirst();
    return added !== undefined;
  }

  /** False where there is no such book. */
  async reprice(name: string, price: number): Promise<boolean> {
    const repriced = await this.db
      .updateTable('books')
      .set({ price_cents: toCents(price) })
      .where('name', '=', name)
      .returning('name')
      .executeTakeFirst();
    return repriced !== undefined;
  }

  /** False where there is no such book. */
  async remove(name: string): Promise<boolean> {
    const removed = await this.db
      .deleteFrom('books')
      .where('name', '=', name)
      .returning('name')
      .executeTakeFirst();
    return removed !== undefined;
  }
}

function toBook({ price_cents, ...book }: BooksTable): Book {
  return { ...book, price: price_cents / 100 };
}

function toCents(price: number): number {
  return Math.round(price * 100);
}
