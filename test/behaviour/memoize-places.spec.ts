import { Controller, Get, Inject, Injectable, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import {
  CacheEvictionService,
  CacheUsageError,
  CachingConfigError,
  Memoize,
  memoize,
  memory,
} from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type ApplicationOptions,
  PLATFORMS,
  type RunningApplication,
  startApplication,
} from '../support/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { warningsAbout } from '../support/verdicts.js';

let runs: string[] = [];

class Base {
  @Memoize()
  async name(id: number): Promise<string> {
    runs.push(`${this.constructor.name} ${id}`);
    return `${this.constructor.name} ${id}`;
  }
}

@Injectable()
class First extends Base {}

@Injectable()
class Second extends Base {
  @Memoize()
  override async name(id: number): Promise<string> {
    return `second of ${await super.name(id)}`;
  }
}

class Rates {
  constructor(private readonly bank: string) {}

  @Memoize()
  async rate(): Promise<string> {
    runs.push(this.bank);
    return this.bank;
  }
}

class IdentifiedRates extends Rates {
  constructor(private readonly id: string) {
    super(id);
  }

  cacheId() {
    return this.id;
  }
}

class Statics {
  @Memoize()
  static async twice(n: number): Promise<number> {
    runs.push(String(n));
    return n * 2;
  }

  @Memoize()
  async twice(n: number): Promise<string> {
    return `${n}${n}`;
  }
}

const square = memoize(
  async (n: number) => {
    runs.push(String(n));
    return n * n;
  },
  { name: 'square' },
);

const running: RunningApplication[] = [];

async function start(options: ApplicationOptions = {}): Promise<RunningApplication> {
  const app = await startApplication('fastify', options);
  running.push(app);
  return app;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.close()));
  runs = [];
});

describe('memoized methods', () => {
  it('that are inherited have results for each class, and are evicted through either', async () => {
    const { app } = await start({ providers: [First, Second] });
    const evictions = app.get(CacheEvictionService);
    const ask = async () => {
      runs = [];
      const names = [await app.get(First).name(1), await app.get(Second).name(1)];
      expect(names).toEqual(['First 1', 'second of Second 1']);
      return runs;
    };
    expect(await ask()).toEqual(['First 1', 'Second 1']);
    expect(await ask()).toEqual([]);
    await evictions.byMemoized(First, 'name');
    expect(await ask()).toEqual(['First 1']);
    await evictions.byMemoized(Base, 'name', [1]);
    expect(await ask()).toEqual(['First 1']);
    await evictions.byMemoized(Base, 'name');
    await evictions.byMemoized(Second, 'name');
    expect(await ask()).toEqual(['First 1', 'Second 1']);
    await evictions.byMemoized(Second, 'name', [2]);
    expect(await ask()).toEqual([]);
  });

  it('of an instance that a factory made are memoized', async () => {
    const { app } = await start({
      providers: [{ provide: 'RATES', useFactory: async () => new Rates('a') }],
    });
    const rates = app.get<Rates>('RATES');
    expect([await rates.rate(), await rates.rate()]).toEqual(['a', 'a']);
    expect(runs).toEqual(['a']);
    expect(Object.keys(rates)).toEqual(['bank']);
  });

  it('of a class with two instances run each time, with one warning that names what to write', async () => {
    const app = await start({
      providers: [
        { provide: 'ONE', useFactory: () => new Rates('a') },
        { provide: 'OTHER', useValue: new Rates('b') },
      ],
    });
    const rates = ['ONE', 'OTHER'].map((token) => app.app.get<Rates>(token));
    for (const each of [...rates, ...rates]) await each.rate();
    expect(runs).toEqual(['a', 'b', 'a', 'b']);
    expect(warningsAbout(app, 'Rates.rate')).toEqual([
      expect.stringMatching(/cacheId\(\).*inputs: 'reviewed'/),
    ]);
  });

  it('of two instances that say which they are have results of their own, evicted together', async () => {
    const app = await start({
      providers: [
        { provide: 'ONE', useFactory: () => new IdentifiedRates('a') },
        { provide: 'OTHER', useFactory: () => new IdentifiedRates('b') },
      ],
    });
    const rates = ['ONE', 'OTHER'].map((token) => app.app.get<Rates>(token));
    const ask = async () => {
      runs = [];
      expect([await rates[0]?.rate(), await rates[1]?.rate()]).toEqual(['a', 'b']);
      return runs;
    };
    expect(await ask()).toEqual(['a', 'b']);
    expect(await ask()).toEqual([]);
    await app.app.get(CacheEvictionService).byMemoized(IdentifiedRates, 'rate', []);
    expect(await ask()).toEqual(['a', 'b']);
    await app.app.get(CacheEvictionService).byMemoized(Rates, 'rate');
    expect(await ask()).toEqual(['a', 'b']);
    expect(app.logger.warnings).toEqual([]);
  });

  it('of one alias are one', async () => {
    const app = await start({ providers: [First, { provide: 'ALIAS', useExisting: First }] });
    await app.app.get<First>('ALIAS').name(1);
    await app.app.get(First).name(1);
    expect(runs).toEqual(['First 1']);
  });

  it('outside of an application, before it starts and after it ends, run each time', async () => {
    const first = new First();
    await first.name(1);
    await first.name(1);
    expect(runs).toEqual(['First 1', 'First 1']);
    const app = await start({ providers: [First] });
    const inside = app.app.get(First);
    await inside.name(1);
    await app.close();
    running.length = 0;
    await inside.name(1);
    expect(runs).toHaveLength(4);
  });

  it('belong to the application of their instance, of several in one process', async () => {
    const [one, other] = [await start({ providers: [First] }), await start({ providers: [First] })];
    for (const { app } of [one, other, one, other]) await app.get(First).name(1);
    expect(runs).toEqual(['First 1', 'First 1']);
    await one.app.get(CacheEvictionService).all();
    for (const { app } of [one, other]) await app.get(First).name(1);
    expect(runs).toHaveLength(3);
  });

  it('of one name in one application are refused at start', async () => {
    const make = () => {
      class Same {
        @Memoize()
        async run(): Promise<number> {
          return 1;
        }
      }
      return Same;
    };
    const starting = start({
      providers: [
        { provide: 'A', useClass: make() },
        { provide: 'B', useClass: make() },
      ],
    });
    await expect(starting).rejects.toThrow(
      /@Memoize of Same\.run: option "name" is "Same\.run"; allowed: a name of its own/,
    );
  });

  it('can be in what the options of the module are made from', async () => {
    const app = await start({ caching: { ttl: '1m' }, providers: [First] });
    expect(await app.app.get(First).name(1)).toBe('First 1');
  });

  it('share nothing with views or CACHE_MANAGER, and keep their name and length', async () => {
    const store = memory({ clock: new FakeClock() });
    const { app } = await start({ providers: [First], caching: { store } });
    await app.get(First).name(1);
    const keys: string[] = [];
    store.each((entry) => keys.push(entry.key) > 0);
    expect(keys).toEqual([expect.stringMatching(/^cache:memo:/)]);
    expect([First.prototype.name.name, First.prototype.name.length]).toEqual(['name', 1]);
  });
});

describe('static methods and plain functions', () => {
  it('belong to the only application, and are told from methods of the same name', async () => {
    const { app } = await start({ providers: [Statics] });
    const ask = async () => {
      runs = [];
      expect([await Statics.twice(2), await app.get(Statics).twice(2), await square(3)]).toEqual([
        4,
        '22',
        9,
      ]);
      return runs;
    };
    expect(await ask()).toEqual(['2', '3']);
    expect(await ask()).toEqual([]);
    const evictions = app.get(CacheEvictionService);
    await evictions.byMemoized(square, [3]);
    expect(await ask()).toEqual(['3']);
    await evictions.byMemoized(square);
    await evictions.byMemoized(Statics, 'twice');
    expect(await ask()).toEqual(['2', '3']);
  });

  it('run each time with no application, and with several, of which each says so once', async () => {
    await square(1);
    await square(1);
    const [one, other] = [await start(), await start()];
    await square(1);
    await square(1);
    expect(runs).toEqual(['1', '1', '1', '1']);
    // Nest has one logger for all: the last one's.
    const said = [one, other].flatMap(({ logger }) => logger.warnings);
    expect(said.filter((text) => text.includes('Several applications'))).toHaveLength(2);
    await other.close();
    running.splice(1);
    await square(1);
    await square(1);
    expect(runs).toHaveLength(5);
  });

  it('need a name that is their own', () => {
    expect(() => memoize(async () => 1)).toThrow(
      /memoize\(\): option "name" is undefined; allowed: a name, as/,
    );
    expect(() => memoize(async () => 1, { name: 'square' })).toThrow(CachingConfigError);
    expect(() => memoize(async () => 1, { name: 'bad', ttl: '5' as never })).toThrow(
      /memoize\(\) of bad: option "ttl"/,
    );
  });

  it('are evicted only where they are memoized', async () => {
    const { app } = await start({ providers: [First] });
    const evictions = app.get(CacheEvictionService);
    for (const evict of [
      () => evictions.byMemoized(First, 'other'),
      () => evictions.byMemoized(async () => 1),
      () => evictions.byMemoized({} as never, 'name'),
      () => evictions.byMemoized(First, 'name', 1 as never),
    ])
      await expect(evict()).rejects.toBeInstanceOf(CacheUsageError);
  });
});

describe.each(PLATFORMS)('a request-scoped provider on %s', (platform) => {
  it("is memoized where it says whose it is, and otherwise never gives one client another's", async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Mine {
      constructor(@Inject(REQUEST) private readonly request: { headers: Record<string, string> }) {}

      @Memoize()
      async name(): Promise<string> {
        runs.push(`mine of ${this.request.headers['x-user']}`);
        return String(this.request.headers['x-user']);
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class Known {
      constructor(@Inject(REQUEST) private readonly request: { headers: Record<string, string> }) {}

      cacheId() {
        return String(this.request.headers['x-user']);
      }

      @Memoize()
      async name(): Promise<string> {
        runs.push(`known of ${this.cacheId()}`);
        return this.cacheId();
      }

      @Memoize({ name: 'Known.shared' })
      async shared(n: number): Promise<number> {
        return n;
      }
    }
    @Controller()
    class Names {
      constructor(
        @Inject(Mine) private readonly mine: Mine,
        @Inject(Known) private readonly known: Known,
      ) {}

      @Get('names') async names() {
        return [await this.mine.name(), await this.known.name()];
      }
    }
    const app = await startApplication(platform, { controllers: [Names], providers: [Mine, Known] });
    running.push(app);
    const names = async (user: string) =>
      JSON.parse((await app.request('/names', { headers: { 'x-user': user } })).text) as unknown;
    for (const user of ['alice', 'bob', 'alice', 'bob']) expect(await names(user)).toEqual([user, user]);
    expect(runs.filter((run) => run.startsWith('mine'))).toHaveLength(4);
    expect(runs.filter((run) => run.startsWith('known'))).toEqual(['known of alice', 'known of bob']);
    expect(warningsAbout(app, 'Mine.name')).toHaveLength(1);
    expect(warningsAbout(app, 'Known')).toEqual([]);
  });

  it.each([[undefined], [null], [''], [Number.NaN], [{}]])(
    'share nothing where their cacheId() is %s: the call is an error that names it',
    async (id) => {
      let ran = 0;
      @Injectable()
      class Nobody {
        cacheId() {
          return id;
        }

        @Memoize()
        async name(): Promise<number> {
          return ++ran;
        }
      }
      const app = await startApplication(platform, { controllers: [], providers: [Nobody] });
      running.push(app);
      await expect(app.app.get(Nobody).name()).rejects.toThrow(/cacheId\(\) of a memoized instance returned/);
      expect(ran).toBe(0);
    },
  );
});
