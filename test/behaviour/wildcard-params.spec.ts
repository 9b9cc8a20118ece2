import { Controller, Get, Post, Req } from '@nestjs/common';
import { CacheEvict, CacheEvictionService, CacheInspector, CacheView, custom } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';

/** Fastify's router calls every wildcard `*`. */
const NAMES = { express: 'path', fastify: '*' } as const;

describe.each(PLATFORMS)('parameters of wildcards on %s', (platform) => {
  const name = NAMES[platform];
  const wildcard = platform === 'express' ? '*path' : '*';
  let running: RunningApplication;
  let seen: unknown[];

  @Controller('files')
  class FilesController {
    @Get(`tagged/${wildcard}`)
    @CacheView({
      tags: ({ params }) => {
        seen.push(params[name]);
        return [`file:${params[name]}`];
      },
    })
    tagged() {
      return {};
    }

    @Get(`keyed/${wildcard}`)
    @CacheView({
      key: custom(({ params }) => {
        seen.push(params[name]);
        return params[name] ?? '';
      }),
      inputs: 'reviewed',
    })
    keyed(@Req() { params }: { params: Record<string, unknown> }) {
      return { got: params[name] };
    }

    @Get('one/:id') @CacheView({ tags: ({ params }) => [`one:${params.id}`] }) one() {
      return {};
    }

    @Post(`changed/${wildcard}`) @CacheEvict({ tags: ({ params }) => [`file:${params[name]}`] }) changed() {
      return {};
    }
  }

  beforeEach(async () => {
    seen = [];
    running = await startApplication(platform, { controllers: [FilesController] });
  });
  afterEach(() => running.close());

  const verdict = async (target: string) => (await running.request(target)).verdict;

  it('are texts with the slashes of the path, which tags of it name', async () => {
    expect(await verdict('/files/tagged/a/b%20c.txt')).toBe('MISS');
    expect(await verdict('/files/tagged/a/d.txt')).toBe('MISS');
    expect(seen).toEqual(['a/b c.txt', 'a/d.txt']);
    await running.app.get(CacheEvictionService).byTag('file:a/b c.txt');
    expect(await verdict('/files/tagged/a/b%20c.txt')).toBe('MISS');
    expect(await verdict('/files/tagged/a/d.txt')).toBe('HIT');
    await running.request('/files/changed/a/d.txt', { method: 'POST' });
    expect(await verdict('/files/tagged/a/d.txt')).toBe('MISS');
  });

  it('are what byRoute is given, as the text or, as Express has them, in segments', async () => {
    const evictions = running.app.get(CacheEvictionService);
    for (const value of ['a/b', ['a', 'b']]) {
      await running.request('/files/tagged/a/b');
      await running.request('/files/tagged/a,b');
      await evictions.byRoute(FilesController, 'tagged', { [name]: value });
      expect(await verdict('/files/tagged/a,b')).toBe('HIT');
      expect(await verdict('/files/tagged/a/b')).toBe('MISS');
    }
  });

  it('are two texts of two paths that their handler can tell apart', async () => {
    const targets = ['a/b', 'a%2Fb', 'a%252Fb', 'a%25252Fb', 'a%25/b', 'a%25%2Fb', 'a,b'];
    const answers: string[] = [];
    for (const target of targets) answers.push((await running.request(`/files/keyed/${target}`)).text);
    // Fastify's handlers can't tell all of them.
    expect(new Set(answers).size).toBe(platform === 'express' ? targets.length : 5);
    expect(new Set(seen).size).toBe(new Set(answers).size);
    const first = platform === 'express' ? ['a/b', 'a%2Fb', 'a%252Fb'] : ['a/b', 'a/b', 'a%2Fb'];
    expect(seen.slice(0, 3)).toEqual(first);
    for (const [at, target] of targets.entries())
      expect(await running.request(`/files/keyed/${target}`)).toMatchObject({
        verdict: 'HIT',
        text: answers[at],
      });
  });

  it('are the same in what is explained of a request that nobody sent', async () => {
    await running.request('/files/keyed/a/b');
    const inspector = running.app.get(CacheInspector);
    expect(await inspector.explain({ url: '/files/keyed/a/b' })).toMatchObject({ verdict: 'hit' });
    expect(new Set(seen)).toEqual(new Set(['a/b']));
    expect(await inspector.explain({ url: '/files/keyed/a%2Fb' })).toMatchObject({ verdict: 'miss' });
  });

  it('leave others as they are', async () => {
    await running.request('/files/one/a%2Fb');
    await running.app.get(CacheEvictionService).byTag('one:a/b');
    expect(await verdict('/files/one/a%2Fb')).toBe('MISS');
  });
});
