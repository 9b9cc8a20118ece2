import { PGlite } from '@electric-sql/pglite';
import { Logger } from '@nestjs/common';
import { type Dialect, Kysely, PGliteDialect, PostgresDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import { Pool } from 'pg';
import type { Database, Tables } from './database.js';
import { migrations } from './migrations.js';

/** PostgreSQL either way: a server where an address is given, otherwise embedded in this process and in memory. */
export async function openDatabase(url?: string): Promise<Database> {
  const db = new Kysely<Tables>({ dialect: url === undefined ? embedded() : server(url) });
  const { error } = await new Migrator({ db, provider: migrations }).migrateToLatest();
  if (error !== undefined) {
    await db.destroy();
    throw new Error('The database could not be prepared', { cause: error });
  }
  return db;
}

function embedded(): Dialect {
  return new PGliteDialect({ pglite: () => PGlite.create() });
}

function server(connectionString: string): Dialect {
  const pool = new Pool({ connectionString, max: 10 });
  // An idle connection that breaks is replaced at the next query; without a listener it would end the process.
  pool.on('error', (error) => new Logger('Database').warn(`A connection was lost: ${error.message}`));
  return new PostgresDialect({ pool });
}
