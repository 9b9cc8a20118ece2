import { CACHE_MANAGER, type Cache } from '@nestjs/cache-manager';
import { Controller, Get, Inject, type INestApplication, Module, Post } from '@nestjs/common';
import {
  CacheEvict,
  CacheEvictionService,
  CacheView,
  CachingModule,
  type CachingModuleOptions,
  type Duration,
  type RequestView,
} from 'nestjs-caching';

/** Found, also by the resolution that knows no `exports`. The other entries want what is not installed here. */
export type Testing = typeof import('nestjs-caching/testing');

const ttl: Duration = '1m';
const options: CachingModuleOptions = { ttl, memory: { maxEntries: 100 } };

/** What somebody who installed the package would write first. */
@Controller('books')
class BooksController {
  private readonly names = ['Emma'];

  constructor(
    private readonly eviction: CacheEvictionService,
    @Inject(CACHE_MANAGER) private readonly values: Cache,
  ) {}

  @Get()
  @CacheView({ ttl: '30s', tags: ['books'] })
  list(): readonly string[] {
    return this.names;
  }

  @Post()
  @CacheEvict({ tags: ({ user }: RequestView<{ user?: { id: string } }>) => ['books', `by:${user?.id}`] })
  async add(): Promise<{ added: number }> {
    this.names.push('Persuasion');
    await this.values.set('added', this.names.length);
    return { added: (await this.values.get<number>('added')) ?? 0 };
  }

  @Post('refresh')
  async refresh(): Promise<void> {
    await this.eviction.byTag('books');
  }
}

@Module({ imports: [CachingModule.forRoot(options)], controllers: [BooksController] })
export class AppModule {}

/** Starts on a free port and says where. */
export async function serve(app: INestApplication): Promise<void> {
  await app.listen(0, '127.0.0.1');
  process.stdout.write(`${await app.getUrl()}\n`);
}
