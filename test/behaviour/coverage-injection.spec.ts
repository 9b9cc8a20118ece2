import {
  type CanActivate,
  Controller,
  Get,
  Inject,
  Injectable,
  Next,
  Optional,
  Param,
  Res,
  Scope,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { CacheContext, CacheView, type CacheViewOptions } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { lineIn, optionsOf, USER_ID } from '../support/printed-line.js';
import { verdictsOf, warningsAbout } from '../support/verdicts.js';

@Injectable()
class Repository {
  constructor(@Inject(REQUEST) readonly request: unknown) {}
}

@Injectable()
class BooksService {
  constructor(readonly repository: Repository) {}
}

@Injectable()
class PropertyService {
  @Inject(REQUEST) readonly request: unknown;
}

@Injectable({ scope: Scope.REQUEST })
class ScopedService {}

@Injectable()
class OpenGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

const providers = [Repository, BooksService, PropertyService, ScopedService];

const CONTROLLERS: Record<string, (view: CacheViewOptions) => Type> = {
  'in its constructor': (view) => {
    @Controller()
    class InjectedController {
      constructor(@Inject(REQUEST) readonly request: unknown) {}

      @Get('read') @CacheView(view) read() {
        return {};
      }
    }
    return InjectedController;
  },
  'through a service two levels deep': (view) => {
    @Controller()
    class InjectedController {
      constructor(readonly books: BooksService) {}

      @Get('read') @CacheView(view) read() {
        return {};
      }
    }
    return InjectedController;
  },
  'as a property': (view) => {
    @Controller()
    class InjectedController {
      @Inject(REQUEST) readonly request: unknown;

      @Get('read') @CacheView(view) read() {
        return {};
      }
    }
    return InjectedController;
  },
  'through a property of a service': (view) => {
    @Controller()
    class InjectedController {
      @Inject(PropertyService) readonly service: unknown;

      @Get('read') @CacheView(view) read() {
        return {};
      }
    }
    return InjectedController;
  },
};

describe.each(PLATFORMS)('an injected REQUEST on %s', (platform) => {
  let running: RunningApplication;

  afterEach(() => running.close());

  it.each(Object.entries(CONTROLLERS))('keeps the route out of the cache: %s', async (_where, make) => {
    running = await startApplication(platform, { controllers: [make({})], providers });
    for (let round = 0; round < 2; round++) {
      expect((await running.request('/read')).cacheStatus).toBe(
        'nestjs-caching; fwd=bypass; detail=uncovered-inputs',
      );
    }
    const warnings = warningsAbout(running, 'InjectedController.read');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('an injected REQUEST');
    expect(lineIn(warnings[0])).toBe("inputs: 'reviewed'");
  });

  it.each(Object.entries(CONTROLLERS))('is covered by the printed line: %s', async (_where, make) => {
    running = await startApplication(platform, {
      controllers: [make(optionsOf("inputs: 'reviewed'"))],
      providers,
    });
    expect(await verdictsOf(running, '/read', '/read')).toEqual(['MISS', 'HIT']);
    expect(running.logger.warnings).toEqual([]);
  });

  it('is not suspected where a provider is request-scoped without it, or the context is injected', async () => {
    @Controller()
    class PlainController {
      constructor(
        readonly scoped: ScopedService,
        @Inject(CacheContext) readonly cache: CacheContext,
        @Optional() @Inject('nothing') readonly nothing: unknown,
      ) {}

      @Get('read/:id') @CacheView() read(@Param('id') _id: string) {
        return {};
      }
    }
    running = await startApplication(platform, { controllers: [PlainController], providers });
    expect(await verdictsOf(running, '/read/1', '/read/1')).toEqual(['MISS', 'HIT']);
    expect(running.logger.warnings).toEqual([]);
  });
});

describe.each(PLATFORMS)('guards on %s', (platform) => {
  let running: RunningApplication;

  afterEach(() => running.close());

  const guarded = (view: CacheViewOptions, onClass: boolean) => {
    @Controller()
    class GuardedController {
      @Get('read') @CacheView(view) read() {
        return {};
      }
    }
    if (onClass) UseGuards(OpenGuard)(GuardedController);
    else {
      const { prototype } = GuardedController;
      UseGuards(OpenGuard)(prototype, 'read', Object.getOwnPropertyDescriptor(prototype, 'read')!);
    }
    return GuardedController;
  };

  it.each([true, false])(
    'without a scope keep a route out of the cache (on its controller: %s)',
    async (onClass) => {
      running = await startApplication(platform, { controllers: [guarded({}, onClass)] });
      const reply = await running.request('/read');
      expect(reply.cacheStatus).toBe('nestjs-caching; fwd=bypass; detail=uncovered-inputs');
      const warnings = warningsAbout(running, 'GuardedController.read');
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toContain('@UseGuards()');
      expect(lineIn(warnings[0])).toBe(USER_ID);
    },
  );

  it("are covered by the printed line, and by scope: 'public', on module or route", async () => {
    for (const [view, caching] of [
      [optionsOf(USER_ID), {}],
      [{ scope: 'public' }, {}],
      [{}, { scope: 'public' }],
    ] as const) {
      running = await startApplication(platform, { controllers: [guarded(view, true)], caching });
      expect(await verdictsOf(running, '/read', '/read')).toEqual(['MISS', 'HIT']);
      expect(running.logger.warnings).toEqual([]);
      await running.close();
    }
  });

  it("are not covered by inputs: 'reviewed', which says nothing of whose the response is", async () => {
    running = await startApplication(platform, { controllers: [guarded({ inputs: 'reviewed' }, false)] });
    expect(await verdictsOf(running, '/read')).toEqual(['BYPASS']);
    expect(warningsAbout(running, 'GuardedController.read')).toHaveLength(1);
  });
});

describe.each(PLATFORMS)('a handler with @Next() on %s', (platform) => {
  const withNext = (view: CacheViewOptions) => {
    @Controller()
    class NextController {
      @Get('read') @CacheView(view) read(
        @Next() _next: unknown,
        @Res() response: { send(body: string): void },
      ) {
        response.send('sent');
      }
    }
    return NextController;
  };

  it('is cached only with the printed line', async () => {
    const bare = await startApplication(platform, { controllers: [withNext({})] });
    expect(await verdictsOf(bare, '/read', '/read')).toEqual(['BYPASS', 'BYPASS']);
    const warnings = warningsAbout(bare, 'NextController.read');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('@Next()');
    await bare.close();

    const line = lineIn(warnings[0]);
    const reviewed = await startApplication(platform, { controllers: [withNext(optionsOf(line))] });
    expect(await verdictsOf(reviewed, '/read', '/read')).toEqual(['MISS', 'HIT']);
    await reviewed.close();
  });
});
