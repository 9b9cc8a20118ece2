import { Controller, Get, Header, NotFoundException, Param, UseFilters } from '@nestjs/common';
import { CacheView, type RequestView } from 'nestjs-caching';
import { BookNamePipe } from '../books/book-name.js';
import { BooksService } from '../books/books.service.js';
import { ReadersService } from '../readers/readers.service.js';
import { Reader, type SessionHolder } from '../readers/session.js';
import { HandlerRuns } from '../stats/handler-runs.js';
import { HtmlErrorFilter } from './html-error.filter.js';
import { PageRenderer } from './page-renderer.js';

const HTML = 'text/html; charset=utf-8';

@Controller()
@UseFilters(HtmlErrorFilter)
@CacheView({ scope: 'public' })
export class PagesController {
  constructor(
    private readonly books: BooksService,
    private readonly readers: ReadersService,
    private readonly pages: PageRenderer,
    private readonly runs: HandlerRuns,
  ) {}

  /**
   * Public as long as nobody is logged in: `Reader` is empty on every request that `unless` lets into the cache,
   * so the input that the key doesn't cover can't differ.
   */
  @Get()
  @Header('content-type', HTML)
  @CacheView({
    ttl: '20m',
    unless: ({ session }: RequestView<SessionHolder>) => session?.reader !== undefined,
    tags: ['books', 'languages', 'readers'],
    inputs: 'reviewed',
  })
  async home(@Reader() reader: string | undefined): Promise<string> {
    this.runs.count('GET /');
    const [latest, languages, readers] = await Promise.all([
      this.books.latest(20),
      this.books.languages(),
      this.readers.loggedIn(),
    ]);
    const total = languages.reduce((sum, { books }) => sum + books, 0);
    return this.pages.render('home', { total, languages: languages.length, readers, books: latest, reader });
  }

  @Get('about')
  @Header('content-type', HTML)
  @CacheView('2h')
  about(): string {
    this.runs.count('GET /about');
    return this.pages.render('about', {});
  }

  @Get('books/:name/page')
  @Header('content-type', HTML)
  @CacheView({ ttl: '30m', tags: ({ params }) => [`book:${params.name}`] })
  async book(@Param('name', BookNamePipe) name: string): Promise<string> {
    this.runs.count('GET /books/:name/page');
    const book = await this.books.find(name);
    if (book === undefined) throw new NotFoundException(`There is no book "${name}"`);
    return this.pages.render('book', { book });
  }
}
