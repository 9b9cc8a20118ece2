import { Controller, Get } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import { HandlerRuns } from '../stats/handler-runs.js';
import { BooksService, type LanguageCount } from './books.service.js';

@Controller('languages')
export class LanguagesController {
  constructor(
    private readonly books: BooksService,
    private readonly runs: HandlerRuns,
  ) {}

  /** How many books there are in each language. A day is safe, as every write that changes it evicts it. */
  @Get()
  @CacheView({ ttl: '1d', scope: 'public', tags: ['languages'] })
  languages(): Promise<LanguageCount[]> {
    this.runs.count('GET /languages');
    return this.books.languages();
  }
}
