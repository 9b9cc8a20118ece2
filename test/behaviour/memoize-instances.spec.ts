import { type CanActivate, Controller, Get, Inject, Injectable, UseGuards } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Memoize } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type ApplicationOptions,
  PLATFORMS,
  type RunningApplication,
  startApplication,
} from '../support/application.js';
import { warningsAbout } from '../support/verdicts.js';

const runs: string[] = [];

@Injectable()
class Account {
  owner = 'provided';

  @Memoize()
  async name(): Promise<string> {
    runs.push(this.owner);
    return this.owner;
  }

  /** Another account with the methods of this one, as many libraries make it. */
  of(owner: string): Account {
    return Object.assign(Object.create(this) as Account, { owner });
  }
}

class Shelf {
  constructor(readonly label: string) {}

  @Memoize()
  async read(): Promise<string> {
    runs.push(this.label);
    return this.label;
  }
}

@Injectable()
class Guard implements CanActivate {
  allowed = 'guard';

  @Memoize()
  async ask(): Promise<string> {
    runs.push(this.allowed);
    return this.allowed;
  }

  async canActivate(): Promise<boolean> {
    return (await this.ask()) === 'guard';
  }
}

@Controller()
class Doors {
  constructor(@Inject(Guard) private readonly guard: Guard) {
    guard.allowed = 'provider';
  }

  @Get('door')
  @UseGuards(Guard)
  async door() {
    return { door: await this.guard.ask() };
  }
}

const running: RunningApplication[] = [];

async function start(options: ApplicationOptions, platform: (typeof PLATFORMS)[number] = 'fastify') {
  const app = await startApplication(platform, options);
  running.push(app);
  return app;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.close()));
  runs.length = 0;
});

describe('instances of a class of which the application has one', () => {
  it('that are made from it run each time, with one warning, and it is memoized', async () => {
    const app = await start({ providers: [Account] });
    const account = app.app.get(Account);
    expect(await account.name()).toBe('provided');
    const other = account.of('derived');
    expect([await other.name(), await other.name()]).toEqual(['derived', 'derived']);
    expect(await account.name()).toBe('provided');
    expect(runs).toEqual(['provided', 'derived', 'derived']);
    expect(warningsAbout(app, 'Account.name')).toEqual([
      expect.stringMatching(/another instance.*cacheId\(\)/),
    ]);
  });

  it('that Nest makes on demand run each time', async () => {
    const app = await start({ providers: [Account] });
    const made = await app.app.get(ModuleRef).create(Account);
    made.owner = 'made';
    expect([await app.app.get(Account).name(), await made.name()]).toEqual(['provided', 'made']);
    expect(runs).toEqual(['provided', 'made']);
  });

  it('belong to the application that runs, where one before it had them', async () => {
    const shelf = new Shelf('a');
    const options = { providers: [{ provide: 'SHELF', useValue: shelf }] };
    await (await start(options)).close();
    running.length = 0;
    await start(options);
    expect([await shelf.read(), await shelf.read()]).toEqual(['a', 'a']);
    expect(runs).toEqual(['a']);
  });
});

describe.each(PLATFORMS)('a guard that is a provider as well, on %s', (platform) => {
  it('shares nothing with it', async () => {
    const app = await start({ controllers: [Doors], providers: [Guard] }, platform);
    for (let ask = 0; ask < 2; ask++) {
      const { status, text } = await app.request('/door');
      expect([status, text]).toEqual([200, '{"door":"provider"}']);
    }
  });
});
