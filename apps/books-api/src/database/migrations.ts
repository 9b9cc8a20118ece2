import { type Kysely, sql } from 'kysely';
import type { MigrationProvider } from 'kysely/migration';
import { CLASSICS_BEFORE_1900 } from '../books/data/classics-before-1900.js';
import { CLASSICS_SINCE_1900 } from '../books/data/classics-since-1900.js';
import type { Tables } from './database.js';

export const migrations: MigrationProvider = {
  async getMigrations() {
    return { '001-tables': { up: createTables }, '002-classics': { up: insertClassics } };
  },
};

async function createTables(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable('books')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('title', 'text', (column) => column.notNull())
    .addColumn('author', 'text', (column) => column.notNull())
    .addColumn('year', 'integer', (column) => column.notNull())
    .addColumn('language', 'text', (column) => column.notNull())
    .addColumn('price_cents', 'integer', (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex('books_full_text')
    .on('books')
    .using('gin')
    .expression(sql`to_tsvector('simple', title || ' ' || author)`)
    .execute();
  await db.schema
    .createTable('readers')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('logins', 'integer', (column) => column.notNull())
    .addColumn('logged_in', 'boolean', (column) => column.notNull())
    .execute();
}

async function insertClassics(db: Kysely<Tables>): Promise<void> {
  const classics = [...CLASSICS_BEFORE_1900, ...CLASSICS_SINCE_1900];
  await db
    .insertInto('books')
    .values(
      classics.map(([name, title, author, year, language, price]) => ({
        name,
        title,
        author,
        year,
        language,
        price_cents: Math.round(price * 100),
      })),
    )
    .execute();
}
