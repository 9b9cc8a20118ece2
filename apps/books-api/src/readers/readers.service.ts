import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { DATABASE, type Database } from '../database/database.js';

export interface Profile {
  name: string;
  logins: number;
}

@Injectable()
export class ReadersService {
  constructor(@Inject(DATABASE) private readonly db: Database) {}

  async logIn(name: string): Promise<void> {
    await this.db
      .insertInto('readers')
      .values({ name, logins: 1, logged_in: true })
      .onConflict((conflict) =>
        conflict.column('name').doUpdateSet({ logins: sql<number>`readers.logins + 1`, logged_in: true }),
      )
      .execute();
  }

  async logOut(name: string): Promise<void> {
    await this.db.updateTable('readers').set({ logged_in: false }).where('name', '=', name).execute();
  }

  async profile(name: string): Promise<Profile> {
    const known = await this.db
      .selectFrom('readers')
      .select(['name', 'logins'])
      .where('name', '=', name)
      .executeTakeFirst();
    // A session that is older than the database: signed, so it is theirs.
    return known ?? { name, logins: 0 };
  }

  async loggedIn(): Promise<number> {
    const { readers } = await this.db
      .selectFrom('readers')
      .where('logged_in', '=', true)
      .select(({ fn }) => fn.countAll<string>().as('readers'))
      .executeTakeFirstOrThrow();
    return Number(readers);
  }
}
