import { connect } from 'node:net';
import { Readable } from 'node:stream';
import type { ServerResponse } from 'node:http';
import { Controller, Get, Post, Redirect, Res, StreamableFile, type Type } from '@nestjs/common';
import { CacheEvict, CacheView } from 'nestjs-caching';
import { concat, defer, Observable, of } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Platform,
  PLATFORMS,
  type RunningApplication,
  startApplication,
} from '../support/application.js';
import { ChaosStore } from '../../libs/caching/src/testing.js';
import { eventually, Gate, turns } from '../support/gate.js';

interface Reply {
  readonly raw?: ServerResponse;
  header(name: string, value: string): Reply;
  send(body: unknown): unknown;
  hijack?(): unknown;
}

/** What the specs look at: what the application's data is, and where its handlers stand. */
class World {
  version = 1;
  /** Handlers wait here before they write. */
  writing = new Gate();
  /** Streams wait here before they end. */
  ending = new Gate();
  tornDown = false;
  /** Called at every write. */
  onWrite: () => void = () => undefined;

  node(reply: Reply): ServerResponse {
    reply.hijack?.();
    return reply.raw ?? (reply as unknown as ServerResponse);
  }
}

const KINDS = [
  'value',
  'promise',
  'observable',
  'redirect',
  'send',
  'passthrough',
  'node',
  'node-with-length',
  'ended-twice',
  'file',
  'file-with-length',
  'generator',
] as const;

/** Their clients know that the reply is complete before its end is written. */
const WITH_LENGTH = KINDS.filter((kind) => kind.endsWith('with-length'));

function controllersOf(world: World): Type[] {
  const write = (): { version: number } => {
    world.onWrite();
    return { version: ++world.version };
  };
  const later = async (): Promise<{ version: number }> => {
    await world.writing.pass();
    return write();
  };
  /** Its last bytes have left before it waits for its end. */
  async function* slowEnd() {
    yield 'writ';
    yield 'ten';
    await world.ending.pass();
  }
  @Controller()
  class Views {
    @Get('view') @CacheView({ tags: ['data'] }) view() {
      return { version: world.version };
    }
  }
  @Controller('write')
  @CacheEvict('data')
  class Writes {
    @Post('value') value() {
      return write();
    }
    @Post('promise') promise() {
      return later();
    }
    @Post('observable') observable() {
      return concat(of('first'), defer(later));
    }
    @Post('redirect') @Redirect('/view', 303) async redirect() {
      await later();
    }
    @Post('send') async send(@Res() reply: Reply) {
      reply.send(await later());
    }
    @Post('passthrough') async passthrough(@Res({ passthrough: true }) reply: Reply) {
      reply.header('x-written', 'yes');
      return later();
    }
    @Post('node') async node(@Res() reply: Reply) {
      const response = world.node(reply);
      response.write('writ');
      await later();
      response.end('ten');
    }
    @Post('node-with-length') async nodeWithLength(@Res() reply: Reply) {
      await later();
      const response = world.node(reply);
      response.setHeader('content-length', 7);
      response.write('written');
      await world.ending.pass();
      response.end();
    }
    @Post('ended-twice') async endedTwice(@Res() reply: Reply) {
      await later();
      const response = world.node(reply);
      response.end('written');
      response.end();
    }
    @Post('file') async file() {
      return new StreamableFile(
        Readable.from(
          (async function* () {
            yield Buffer.from('writ');
            await later();
            yield Buffer.from('ten');
          })(),
        ),
      );
    }
    @Post('file-with-length') async fileWithLength() {
      await later();
      return new StreamableFile(Readable.from(slowEnd()), { length: 7 });
    }
    @Post('generator') async *generator() {
      yield 'writ';
      await later();
      yield 'ten';
    }
    @Post('torn') torn() {
      return new Observable(() => {
        write();
        void world.writing.pass();
        return () => void (world.tornDown = true);
      });
    }
  }
  return [Views, Writes];
}

interface Stage {
  readonly running: RunningApplication;
  readonly world: World;
  readonly store: ChaosStore | undefined;
  view(): Promise<number>;
}

async function setStage(platform: Platform, remote: boolean): Promise<Stage> {
  const world = new World();
  const store = remote ? new ChaosStore() : undefined;
  const running = await startApplication(platform, {
    controllers: controllersOf(world),
    caching: store === undefined ? {} : { store, storeTimeout: '1h' },
  });
  if (store !== undefined) store.clock = running.clock;
  return {
    running,
    world,
    store,
    view: async () => (JSON.parse((await running.request('/view')).text) as { version: number }).version,
  };
}

describe.each(PLATFORMS)('the reply to a write on %s', (platform) => {
  let stage: Stage;

  afterEach(() => stage.running.close());

  it.each(KINDS)('is followed by fresh reads only: %s', async (kind) => {
    stage = await setStage(platform, false);
    const { running, world } = stage;
    world.writing.open();
    world.ending.open();
    expect(await stage.view()).toBe(1);
    const reply = await running.request(`/write/${kind}`, { method: 'POST' });
    expect(reply.status).toBeLessThan(400);
    expect(await stage.view()).toBe(2);
  });

  it.each(WITH_LENGTH)(
    'is followed by fresh reads only, though its end is still to come: %s',
    async (kind) => {
      stage = await setStage(platform, false);
      const { running, world } = stage;
      world.writing.open();
      expect(await stage.view()).toBe(1);
      const socket = connect(running.port, '127.0.0.1');
      let reply = '';
      socket.on('data', (chunk: Buffer) => (reply += chunk.toString()));
      socket.write(`POST /write/${kind} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n`);
      await eventually(() => reply.endsWith('written'), 'all that the length tells of has come');
      expect(reply).toMatch(/content-length: 7/i);
      expect(world.ending.arrived).toBe(1);
      expect(await stage.view()).toBe(2);
      world.ending.open();
      socket.destroy();
    },
  );

  it.each(KINDS.filter((kind) => !kind.endsWith('with-length')))(
    'does not arrive before a store that takes its time has acknowledged the eviction: %s',
    async (kind) => {
      stage = await setStage(platform, true);
      const { running, world } = stage;
      const store = stage.store as ChaosStore;
      world.writing.open();
      expect(await stage.view()).toBe(1);
      expect((await running.request('/view')).verdict).toBe('HIT');
      const late = new Gate();
      world.onWrite = () => (store.faults.evict = { late });
      let arrived = false;
      const replying = running.request(`/write/${kind}`, { method: 'POST' }).then((reply) => {
        arrived = true;
        return reply;
      });
      await eventually(() => late.arrived > 0, 'the eviction');
      await turns(50);
      expect(arrived).toBe(false);
      late.open();
      expect((await replying).status).toBeLessThan(400);
      expect(await stage.view()).toBe(2);
    },
  );

  it.each(KINDS.filter((kind) => kind !== 'value'))(
    'that its client did not wait for evicts all the same: %s',
    async (kind) => {
      stage = await setStage(platform, false);
      const { running, world } = stage;
      const socket = connect(running.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(`POST /write/${kind} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n`);
      await eventually(() => world.writing.arrived > 0, 'the handler has started');
      // Stored while the write is under way.
      expect(await stage.view()).toBe(1);
      const gone = new Promise((resolve) => socket.once('close', resolve));
      socket.destroy();
      await gone;
      await turns(20);
      world.writing.open();
      world.ending.open();
      const isTornDown = kind === 'observable';
      if (!isTornDown && kind !== 'generator') await eventually(() => world.version === 2, 'the write');
      await eventually(() => running.events.some(({ type }) => type === 'evicted'), 'the eviction');
      await turns(20);
      expect(await stage.view()).toBe(world.version);
    },
  );

  it('comes whole where its handler ends it twice, which node takes for nothing', async () => {
    stage = await setStage(platform, true);
    stage.world.writing.open();
    const reply = await stage.running.request('/write/ended-twice', { method: 'POST' });
    expect(reply.text).toBe('written');
  });

  it('that was torn down with its Observable evicts what may have been written', async () => {
    stage = await setStage(platform, false);
    const { running, world } = stage;
    expect(await stage.view()).toBe(1);
    const socket = connect(running.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('POST /write/torn HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n');
    await eventually(() => world.writing.arrived > 0, 'the handler has started');
    expect(await stage.view()).toBe(1);
    socket.destroy();
    await eventually(() => world.tornDown, 'the teardown');
    expect(await stage.view()).toBe(2);
  });
});
