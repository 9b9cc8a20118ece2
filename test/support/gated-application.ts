import { connect, type Server } from 'node:net';
import { promisify } from 'node:util';
import type { CachingModuleOptions } from 'nestjs-caching';
import { type Platform, type RunningApplication, startApplication } from './application.js';
import { eventually, turns } from './gate.js';
import { type GatedAnswer, gatedViews, GatedWorld } from './gated-views.js';
import type { RawResponse } from './raw-http.js';

/** A request that has missed the cache and leads, waits or runs alone. */
export interface PendingRequest {
  readonly response: Promise<RawResponse>;
  readonly answer: () => Promise<GatedAnswer>;
}

export interface GatedApplication extends RunningApplication {
  readonly world: GatedWorld;
  /** Sends a request and goes on when the cache has looked for it, whatever becomes of it. */
  send(target: string, headers?: Record<string, string>): Promise<PendingRequest>;
  /** As `send`, from a client that can leave. */
  sendAndLeave(target: string): Promise<() => Promise<void>>;
  /** A whole request, its handler not waiting. */
  ask(target: string, headers?: Record<string, string>): Promise<GatedAnswer>;
  count(type: string): number;
}

export async function startGated(
  platform: Platform,
  caching: CachingModuleOptions = {},
): Promise<GatedApplication> {
  const world = new GatedWorld();
  const running = await startApplication(platform, { controllers: [gatedViews(world)], caching });
  const count = (type: string): number => running.events.filter((event) => event.type === type).length;
  const seen = (): number => count('miss') + count('hit') + world.runs;
  const parse = (response: RawResponse): GatedAnswer => JSON.parse(response.text) as GatedAnswer;
  return {
    ...running,
    world,
    count,
    async send(target, headers = {}) {
      const before = seen();
      const response = running.request(target, { headers });
      await eventually(() => seen() > before, `${target} has reached the cache`);
      return { response, answer: async () => parse(await response) };
    },
    async sendAndLeave(target) {
      const before = seen();
      const socket = connect(running.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(`GET ${target} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
      await eventually(() => seen() > before, `${target} has reached the cache`);
      const server = running.app.getHttpServer() as Server;
      const connections = promisify(server.getConnections.bind(server));
      return async () => {
        const open = await connections();
        socket.destroy();
        while ((await connections()) >= open) await turns(1);
        await turns();
      };
    },
    async ask(target, headers = {}) {
      world.open(world.runs + 1);
      return parse(await running.request(target, { headers }));
    },
  };
}
