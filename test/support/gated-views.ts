import { Controller, Get, Header, HttpCode, Param, Res, StreamableFile, type Type } from '@nestjs/common';
import { CacheContext, CacheView } from 'nestjs-caching';
import { Readable } from 'node:stream';
import { defer } from 'rxjs';
import { eventually, Gates } from './gate.js';

/** What a handler of `gatedViews` gives. */
export interface GatedAnswer {
  readonly run: number;
  /** What the application's data was when the handler started. */
  readonly version: number;
}

/** Handlers that note the data's version when they start, and wait at a gate of their run's number before they end. */
export class GatedWorld {
  version = 1;
  runs = 0;
  readonly gates = new Gates();

  /** Lets a run end, or, given before it starts, not wait at all. */
  open(...runs: number[]): void {
    for (const run of runs) this.gates.at(`${run}`).open();
  }

  async started(runs: number): Promise<void> {
    await eventually(() => this.runs >= runs, `handler run ${runs}`);
  }

  async answer(): Promise<GatedAnswer> {
    const { version } = this;
    const run = ++this.runs;
    await this.gates.at(`${run}`).pass();
    return { run, version };
  }
}

interface CookieReply {
  header(name: string, value: string): unknown;
}

export function gatedViews(world: GatedWorld): Type {
  @Controller('gated')
  class GatedController {
    @Get() @CacheView({ tags: ['data'] }) plain() {
      return world.answer();
    }

    @Get('refreshable')
    @CacheView({ tags: ['data'], refresh: ({ headers }) => headers['x-refresh'] === '1' })
    refreshable() {
      return world.answer();
    }

    @Get('one/:id') @CacheView() one(@Param('id') _id: string) {
      return world.answer();
    }

    /** Its second tag is known only after it has waited. */
    @Get('late') @CacheView({ tags: ['data'] }) async late(@CacheContext() cache: CacheContext) {
      const answer = await world.answer();
      cache.tag('late');
      return answer;
    }

    @Get('status/:code') @CacheView() async status(
      @Param('code') code: string,
      @Res({ passthrough: true }) reply: { status(code: number): unknown },
    ) {
      const answer = await world.answer();
      reply.status(Number(code));
      return answer;
    }

    @Get('fails') @CacheView() async fails() {
      const { run } = await world.answer();
      throw new Error(`run ${run} failed`);
    }

    @Get('cookie') @CacheView() async cookie(@Res({ passthrough: true }) reply: CookieReply) {
      const answer = await world.answer();
      reply.header('set-cookie', `run=${answer.run}`);
      return answer;
    }

    @Get('no-store') @CacheView() @Header('cache-control', 'no-store') noStore() {
      return world.answer();
    }

    @Get('private') @CacheView() async private(@Res({ passthrough: true }) reply: CookieReply) {
      const answer = await world.answer();
      reply.header('cache-control', 'private');
      return answer;
    }

    @Get('undecided') @CacheView() async undecided(@CacheContext() cache: CacheContext) {
      const answer = await world.answer();
      if (answer.run <= 2) cache.noStore();
      return answer;
    }

    @Get('filtered') @CacheView({ filter: () => false }) filtered() {
      return world.answer();
    }

    @Get('large') @CacheView({ maxEntryBytes: 100 }) async large() {
      return { ...(await world.answer()), padding: 'x'.repeat(100) };
    }

    @Get('observable') @CacheView() observable() {
      return defer(() => world.answer());
    }

    @Get('stream') @CacheView() @HttpCode(200) stream() {
      return new StreamableFile(
        Readable.from(
          (async function* () {
            yield Buffer.from('begin ');
            const { run } = await world.answer();
            yield Buffer.from(`run ${run}`);
          })(),
        ),
      );
    }

    @Get('broken-stream') @CacheView() brokenStream() {
      return new StreamableFile(
        Readable.from(
          (async function* () {
            yield Buffer.from('begin ');
            const { run } = await world.answer();
            throw new Error(`run ${run} broke`);
          })(),
        ).on('error', () => undefined),
      );
    }
  }
  return GatedController;
}
