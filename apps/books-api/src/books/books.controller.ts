import {
  Body,
  ConflictException,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Logger,
  NotFoundException,
  Param,
  Post,
  Put,
  Query,
} from '@nestjs/common';
import {
  CacheContext,
  CacheEvict,
  CacheEvictionService,
  CacheView,
  jsonBody,
  query,
  type RequestView,
} from 'nestjs-caching';
import { SETTINGS, type Settings } from '../settings.js';
import { HandlerRuns } from '../stats/handler-runs.js';
import { BookNamePipe } from './book-name.js';
import { Book, NewBookDto, PriceDto } from './book.dto.js';
import { type BookPage, BooksService } from './books.service.js';
import { ListQueryDto } from './list-query.dto.js';
import { SearchDto } from './search.dto.js';

/**
 * Tags: `books` is on whatever shows several books, `book:<name>` on whatever shows one, `languages` on the
 * counts. The shop looks the same to everybody (`scope: 'public'`), so a session is served from the cache too.
 */
@Controller('books')
@CacheView({ scope: 'public' })
export class BooksController {
  readonly #logger = new Logger('Books');

  constructor(
    private readonly books: BooksService,
    private readonly eviction: CacheEvictionService,
    private readonly runs: HandlerRuns,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  /**
   * The heavy query: one page of books, filtered and sorted. Whoever comes within ten minutes after its time gets it
   * as it was, at once, while it is made anew in the background. After a write nobody gets what was before it.
   */
  @Get()
  @CacheView({
    staleWhileRevalidate: '10m',
    tags: ['books'],
    key: query({ ignore: ['nocache'] }),
    unless: (request) => request.query.nocache === '1',
  })
  list(@Query() wanted: ListQueryDto, @CacheContext() cache: CacheContext): Promise<BookPage> {
    this.runs.count('GET /books');
    cache.ttl(this.settings.listTtlMs);
    return this.books.list(wanted);
  }

  /** One book. That there is none is remembered too, but not for long. */
  @Get(':name')
  @CacheView({ statuses: { 200: '5m', 404: '5s' }, tags: ({ params }) => [`book:${params.name}`] })
  async one(@Param('name', BookNamePipe) name: string): Promise<Book> {
    this.runs.count('GET /books/:name');
    const book = await this.books.find(name);
    if (book === undefined) throw new NotFoundException(`There is no book "${name}"`);
    return book;
  }

  /** Adds a book and answers with the first page of the list. */
  @Post()
  @CacheEvict({
    tags: ({ body }: RequestView<{ body: NewBookDto }>) => ['books', 'languages', `book:${body.name}`],
  })
  async add(@Body() book: NewBookDto): Promise<BookPage> {
    this.runs.count('POST /books');
    if (!(await this.books.add(book))) throw new ConflictException(`There is a book "${book.name}" already`);
    return this.books.list(new ListQueryDto());
  }

  /** Full text search. A POST is cached only because it says which body makes which answer. */
  @Post('search')
  @HttpCode(200)
  @CacheView({ ttl: '5m', tags: ['books'], key: jsonBody() })
  search(@Body() wanted: SearchDto): Promise<Book[]> {
    this.runs.count('POST /books/search');
    return this.books.search(wanted);
  }

  /** Changes the price. Evicts by the service, after the write and before the reply. */
  @Put(':name')
  @HttpCode(204)
  async reprice(@Param('name', BookNamePipe) name: string, @Body() { price }: PriceDto): Promise<void> {
    this.runs.count('PUT /books/:name');
    if (!(await this.books.reprice(name, price))) throw new NotFoundException(`There is no book "${name}"`);
    const { acknowledged } = await this.eviction.byTag('books', `book:${name}`);
    // This instance shows the new price already; the others are told once Redis can be reached.
    if (!acknowledged) this.#logger.warn(`The eviction of "${name}" waits for Redis`);
  }

  @Delete(':name')
  @HttpCode(204)
  @CacheEvict({ tags: ({ params }) => ['books', 'languages', `book:${params.name}`] })
  async remove(@Param('name', BookNamePipe) name: string): Promise<void> {
    this.runs.count('DELETE /books/:name');
    if (!(await this.books.remove(name))) throw new NotFoundException(`There is no book "${name}"`);
  }
}
