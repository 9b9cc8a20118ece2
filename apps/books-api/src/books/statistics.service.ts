import { setTimeout as wait } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { Memoize } from 'nestjs-caching';
import { DATABASE, type Database } from '../database/database.js';
import { SETTINGS, type Settings } from '../settings.js';
import { HandlerRuns } from '../stats/handler-runs.js';

/** A `Map` and a `Date` come back from the cache as such. */
export interface BookStatistics {
  readonly books: number;
  readonly averagePrice: number;
  readonly byCentury: ReadonlyMap<number, number>;
  readonly computedAt: Date;
}

@Injectable()
export class StatisticsService {
  constructor(
    @Inject(DATABASE) private readonly db: Database,
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly runs: HandlerRuns,
  ) {}

  /** Reads every book, so it is computed once for each language. Writes of books evict it by their tag. */
  @Memoize({ ttl: '1h', tags: ['books'] })
  async of(language: string): Promise<BookStatistics> {
    this.runs.count('StatisticsService.of');
    await wait(this.settings.slowMs);
    const books = await this.db
      .selectFrom('books')
      .select(['year', 'price_cents'])
      .where('language', '=', language)
      .execute();
    const cents = books.reduce((sum, book) => sum + book.price_cents, 0);
    const byCentury = new Map<number, number>();
    for (const { year } of books) {
      const century = Math.ceil(year / 100);
      byCentury.set(century, (byCentury.get(century) ?? 0) + 1);
    }
    return {
      books: books.length,
      averagePrice: books.length === 0 ? 0 : Math.round(cents / books.length) / 100,
      byCentury,
      computedAt: new Date(),
    };
  }
}
