import { Controller, Get, Query } from '@nestjs/common';
import { CacheView, path, query } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { verdictsOf } from '../support/verdicts.js';

describe.each(PLATFORMS)('keys of paths and queries on %s', (platform) => {
  let running: RunningApplication;

  beforeEach(async () => {
    @Controller('q')
    class QueryController {
      @Get('whole') @CacheView() whole(@Query() given: unknown) {
        return given;
      }

      @Get('none') @CacheView({ key: path() }) none() {
        return {};
      }

      @Get('some') @CacheView({ key: query({ include: ['page', 'filter'] }) }) some(
        @Query('page') page: unknown,
      ) {
        return { page };
      }

      @Get('most') @CacheView({ key: query({ ignore: ['utm_source'] }) }) most(@Query() given: object) {
        return { names: Object.keys(given).length };
      }

      @Get('sorted') @CacheView({ key: query({ sortRepeated: true }) }) sorted(@Query('id') id: unknown) {
        return { id };
      }

      @Get('items/:id') @CacheView({ key: path() }) item() {
        return {};
      }
    }
    running = await startApplication(platform, { controllers: [QueryController] });
  });

  afterEach(() => running.close());

  const verdicts = (...targets: string[]) => verdictsOf(running, ...targets);

  it('do not depend on the order of names', async () => {
    expect(await verdicts('/q/whole?a=1&b=2&c=3', '/q/whole?c=3&a=1&b=2')).toEqual(['MISS', 'HIT']);
  });

  it('depend on the order of repeated values, as a handler sees it', async () => {
    const first = await running.request('/q/whole?id=1&id=2');
    const other = await running.request('/q/whole?id=2&id=1');
    expect([first.verdict, other.verdict]).toEqual(['MISS', 'MISS']);
    expect([first.text, other.text]).toEqual(['{"id":["1","2"]}', '{"id":["2","1"]}']);
  });

  it('keep repeated values in order where other names stand between them', async () => {
    expect(
      await verdicts('/q/whole?id=1&x=0&id=2', '/q/whole?x=0&id=1&id=2', '/q/whole?id=2&x=0&id=1'),
    ).toEqual(['MISS', 'HIT', 'MISS']);
  });

  it('take repeated values in any order with sortRepeated', async () => {
    expect(await verdicts('/q/sorted?id=1&id=2', '/q/sorted?id=2&id=1', '/q/sorted?id=2')).toEqual([
      'MISS',
      'HIT',
      'MISS',
    ]);
  });

  it('tell a list, its last value and its values joined by commas apart', async () => {
    expect(
      await verdicts('/q/whole?id=1&id=2', '/q/whole?id=2', '/q/whole?id=1,2', '/q/whole?id=1%2C2'),
    ).toEqual(['MISS', 'MISS', 'MISS', 'MISS']);
  });

  it('tell absent, valueless and blank parameters, and the case of names, apart', async () => {
    const targets = ['/q/whole', '/q/whole?a', '/q/whole?a=', '/q/whole?A', '/q/whole?a=1', '/q/whole?A=1'];
    expect(await verdicts(...targets)).toEqual(targets.map(() => 'MISS'));
    expect(await verdicts(...targets)).toEqual(targets.map(() => 'HIT'));
  });

  it('leave the query out with path()', async () => {
    expect(await verdicts('/q/none?a=1', '/q/none?b=2', '/q/none')).toEqual(['MISS', 'HIT', 'HIT']);
  });

  it('keep the path and its parameters whatever the strategy', async () => {
    expect(await verdicts('/q/items/1', '/q/items/2', '/q/items/1?x=1')).toEqual(['MISS', 'MISS', 'HIT']);
  });

  it('hold only the included parameters, nested and encoded ones as well', async () => {
    expect(await verdicts('/q/some?page=1&x=1', '/q/some?x=2&page=1', '/q/some?page=2&x=1')).toEqual([
      'MISS',
      'HIT',
      'MISS',
    ]);
    expect(
      await verdicts('/q/some?filter[a]=1', '/q/some?filter[a]=2', '/q/some?filter%5Ba%5D=3', '/q/some'),
    ).toEqual(['MISS', 'MISS', 'MISS', 'MISS']);
  });

  it('hold all but the ignored parameters', async () => {
    expect(
      await verdicts('/q/most?a=1&utm_source=x', '/q/most?utm%5Fsource=y&a=1', '/q/most?a=1', '/q/most?a=2'),
    ).toEqual(['MISS', 'HIT', 'HIT', 'MISS']);
  });

  it('keep the order of parameters that a parser may put into one value', async () => {
    // Names that decode alike, cleanly or not, are one list to node:querystring.
    for (const [a, b] of [
      ['a=1&%61=2', '%61=2&a=1'],
      ['%FF=1&%FE=2', '%FE=2&%FF=1'],
      ['a%ZZ=1&%61%ZZ=2', '%61%ZZ=2&a%ZZ=1'],
    ] as const) {
      expect(await verdicts(`/q/whole?${a}`, `/q/whole?${b}`)).toEqual(['MISS', 'MISS']);
    }
  });

  it('take more parameters than a parser reads in the order in which they came', async () => {
    const pairs = Array.from({ length: 1_500 }, (_, at) => `p${at}`);
    const forwards = `/q/whole?${pairs.join('&')}`;
    const backwards = `/q/whole?${pairs.toReversed().join('&')}`;
    const first = await running.request(forwards);
    const second = await running.request(backwards);
    expect([first.verdict, second.verdict]).toEqual(['MISS', 'MISS']);
    expect(await verdicts(forwards, backwards)).toEqual(['HIT', 'HIT']);
  });
});
