import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Controller, Get, Param, Put } from '@nestjs/common';
import { CacheContext, CacheEvict, CacheView } from 'nestjs-caching';
import * as fc from 'fast-check';
import { type RunningApplication, startApplication } from './application.js';
import { turns } from './gate.js';
import { type Part, type Pause, race, type RaceAction, RaceWorld, type Versions } from './race.js';

interface HttpRun {
  readonly world: RaceWorld;
  readonly pause: Pause;
}

/** The same race through all of the module: requests on one side, handlers of a real application on the other. */
export class RaceOverHttp {
  readonly #runs = new Map<string, HttpRun>();
  #application: RunningApplication | undefined;
  #count = 0;

  async start(): Promise<void> {
    const runs = this.#runs;
    @Controller('race/:id')
    class RaceController {
      @Get()
      @CacheView({
        tags: ({ params }) => [`a:${params.id}`],
        refresh: ({ headers }) => headers['x-refresh'] === '1',
      })
      async view(@Param('id') id: string, @CacheContext() cache: CacheContext) {
        const { world, pause } = runs.get(id) as HttpRun;
        const seen = { ...world.data };
        await pause('tag b');
        cache.tag(`b:${id}`);
        await pause('answer');
        return seen;
      }

      @Put(':part')
      @CacheEvict({ tags: ({ params }) => [`${params.part}:${params.id}`] })
      async write(@Param('id') id: string, @Param('part') part: string) {
        const { world, pause } = runs.get(id) as HttpRun;
        const written = world.write(part as Part);
        await pause('written');
        return { written };
      }
    }
    this.#application = await startApplication('fastify', { controllers: [RaceController] });
  }

  async stop(): Promise<void> {
    await this.#application?.close();
  }

  get property() {
    return fc.asyncProperty(race, fc.scheduler({ act: settle }), async (actions, scheduler) => {
      const id = `${++this.#count}`;
      const pause: Pause = async (what) => {
        await scheduler.schedule(Promise.resolve(), what);
      };
      const run = { world: new RaceWorld(), pause };
      this.#runs.set(id, run);
      await scheduler.waitFor(Promise.all(actions.map((action) => this.#act(id, run, action))));
      await scheduler.waitFor(this.#act(id, run, { kind: 'read', ending: 'store' }));
      this.#runs.delete(id);
    });
  }

  async #act(id: string, { world, pause }: HttpRun, action: RaceAction): Promise<void> {
    await pause(action.kind);
    if (action.kind === 'time') return;
    if (action.kind === 'write') {
      const { written } = (await this.#send('PUT', `/race/${id}/${action.part}`)) as { written: number };
      world.acknowledge(action.part, written);
      return;
    }
    const atStart = { ...world.acknowledged };
    const headers = action.kind === 'refresh' ? { 'x-refresh': '1' } : {};
    world.judge((await this.#send('GET', `/race/${id}`, headers)) as Versions, atStart);
  }

  async #send(method: 'GET' | 'PUT', url: string, headers: Record<string, string> = {}): Promise<unknown> {
    const { app } = this.#application as RunningApplication;
    const reply = await (app as unknown as NestFastifyApplication).inject({ method, url, headers });
    if (reply.statusCode !== 200) throw new Error(`${method} ${url} gave ${reply.statusCode}`);
    return reply.json();
  }
}

/** After each thing that happens, the application goes on until it waits for the next. */
async function settle(happen: () => Promise<unknown>): Promise<void> {
  await happen();
  await turns(4);
}
