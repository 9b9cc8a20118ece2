/**
 * Hits of an application whose memory store holds a million entries against one whose store holds a thousand, side
 * by side: CPU of the server per request. Exits with 1 where throughput differs by more than the limit.
 *
 *   npm run bench:million
 *   npm run bench:million -- --max-semi-space-size=64      with flags for the node of both servers
 */
import 'reflect-metadata';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import autocannon from 'autocannon';
import { CacheView, CachingModule, memory } from '../libs/caching/dist/index.js';

const LIMIT = 0.05;
/** Of servers: two processes of the very same code differ by more than the limit, for as long as they live. */
const PAIRS = 7;
const ROUNDS = 4;
const SECONDS = 1;
/** Each server is asked for these in turn: more than a core's caches hold at a million entries. */
const HOT_URLS = 5_000;

/** The server: fills its store with entries that nobody asks for, and answers hits. */
async function serve(entries) {
  const store = memory({ maxBytes: 4 * 1024 ** 3, maxEntries: 1_100_000 });
  const body = Buffer.alloc(100, 'x');
  for (let at = 0; at < entries; at++) {
    const key = `cache:view:filler/${at}`;
    store.set({
      key,
      response: { status: 200, headers: [], removed: [], body, delivery: 'framework' },
      tags: ['*', `t:item:${at}`, key],
      start: store.position,
      order: 0,
      storedAt: Date.now(),
      expiresAt: Date.now() + 3_600_000,
    });
  }
  class Items {
    one() {
      return { text: 'x'.repeat(1_000) };
    }
  }
  Reflect.decorate([Controller('items')], Items);
  const handler = Object.getOwnPropertyDescriptor(Items.prototype, 'one');
  for (const decorate of [Get(':id'), CacheView({ ttl: '1h' })]) decorate(Items.prototype, 'one', handler);
  class AppModule {}
  Module({ imports: [CachingModule.forRoot({ store, debugHeaders: false })], controllers: [Items] })(
    AppModule,
  );
  const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  process.on('message', () => process.send({ cpu: process.cpuUsage(), entries: store.entries }));
  process.on('disconnect', () => process.exit(0));
  process.send({ port: app.getHttpServer().address().port });
}

async function start(entries) {
  const child = fork(fileURLToPath(import.meta.url), ['serve', String(entries)], {
    execArgv: ['--max-old-space-size=8192', ...process.argv.slice(2)],
  });
  const [{ port }] = await once(child, 'message');
  const ask = async () => {
    child.send('usage');
    const [answer] = await once(child, 'message');
    return answer;
  };
  return { child, port, ask };
}

/** Microseconds of the server's CPU for each hit of one run. */
async function run({ port, ask }) {
  const before = await ask();
  const requests = Array.from({ length: HOT_URLS }, (_, at) => ({ path: `/items/${at}` }));
  const result = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections: 50,
    duration: SECONDS,
    requests,
  });
  const after = await ask();
  if (result.errors + result.timeouts + result.non2xx > 0) throw new Error('a run had errors: no ratio');
  const spent = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  return { cpu: spent / result.requests.total, entries: after.entries };
}

/** Throughput with many entries as a part of that with few, of a pair of servers that live for this only. */
async function compare() {
  const small = await start(1_000);
  const large = await start(1_000_000);
  try {
    const ratios = [];
    let held;
    for (let round = 0; round <= ROUNDS; round++) {
      const order = round % 2 === 0 ? [small, large] : [large, small];
      const results = new Map();
      for (const server of order) results.set(server, await run(server));
      held = [results.get(small).entries, results.get(large).entries];
      // The first round warms up.
      if (round > 0) ratios.push(results.get(small).cpu / results.get(large).cpu);
    }
    return { ratio: medianOf(ratios), held };
  } finally {
    for (const { child } of [small, large]) child.disconnect();
  }
}

function medianOf(ratios) {
  const sorted = ratios.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function main() {
  const pairs = [];
  for (let pair = 0; pair < PAIRS; pair++) pairs.push(await compare());
  const ratios = pairs.map(({ ratio }) => ratio);
  const median = medianOf(ratios);
  const [few, many] = pairs[0].held;
  const spread = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
  process.stdout.write(
    `hits per CPU second, ${many} entries against ${few}, ${PAIRS} pairs of servers: ${median.toFixed(3)} (${spread}; limit ${1 - LIMIT})\n`,
  );
  if (median < 1 - LIMIT) process.exitCode = 1;
}

if (process.argv[2] === 'serve') await serve(Number(process.argv[3]));
else await main();
