/**
 * What hits cost that send less than a plain 200 does: a 304, a HEAD, a compressed body. CPU of the server's process for
 * each request, all threads together. A ratio is made round by round, of runs that stand close to each other, and its
 * median counts. Exits with 1 where one of the limits is passed.
 *
 *   npm run bench:answers [-- --platform express] [-- --rounds 90] [-- --only 304/10]
 *
 * Servers run in processes of their own. The plain body that a compressed one is compared with has as many bytes on the
 * wire as that has; what compresses each time is the usual middleware, behind the same hit.
 */
import 'reflect-metadata';
import { fork } from 'node:child_process';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import fastifyCompress from '@fastify/compress';
import { Controller, Get, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import compression from 'compression';
import { CacheView, CachingModule } from '../libs/caching/dist/index.js';

const LIMITS = [
  { row: '304', over: '200', atMost: 1 },
  { row: 'HEAD', over: '200', atMost: 1 },
  { row: 'gzip 100 KB', over: 'plain, as large', atMost: 1.1 },
  { row: 'gzip 100 KB', over: 'gzip each time', atMost: 0.1 },
];
/** KB of bodies whose 200, 304 and HEAD are compared. */
const SIZES = [1, 10, 100];
const GZIP = { 'accept-encoding': 'gzip' };
const CONNECTIONS = 20;

/** `x` does not get smaller for its own sake: text as an API sends it, of so many bytes. */
function textOf(bytes) {
  let text = '';
  for (let at = 0; text.length < bytes; at++)
    text += JSON.stringify({ id: at, title: `The book at place ${at}`, price: (at * 37) % 101 });
  return text.slice(0, bytes);
}

async function serve(platform, middleware) {
  class BodiesController {
    read(bytes) {
      return { text: textOf(Number(bytes)) };
    }
  }
  Controller('bodies')(BodiesController);
  const { prototype } = BodiesController;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'read');
  Get(':bytes')(prototype, 'read', descriptor);
  CacheView()(prototype, 'read', descriptor);
  Param('bytes')(prototype, 'read', 0);
  class Root {}
  Module({
    imports: [
      CachingModule.forRoot({
        ttl: '1h',
        debugHeaders: false,
        compression: middleware ? false : { encodings: ['gzip'] },
      }),
    ],
    controllers: [BodiesController],
  })(Root);
  const app = await NestFactory.create(
    Root,
    platform === 'express' ? new ExpressAdapter() : new FastifyAdapter(),
    {
      logger: ['error'],
    },
  );
  if (middleware && platform === 'express') app.use(compression());
  if (middleware && platform === 'fastify') await app.register(fastifyCompress, { encodings: ['gzip'] });
  await app.listen(0, '127.0.0.1');
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send(user + system);
  });
  process.on('disconnect', () => process.exit(0));
  process.send(app.getHttpServer().address().port);
}

function once(child) {
  return new Promise((resolve) => child.once('message', resolve));
}

async function start(platform, middleware) {
  const child = fork(fileURLToPath(import.meta.url), [
    '--serve',
    platform,
    ...(middleware ? ['--middleware'] : []),
  ]);
  // One for all rounds: to connect costs as much as to ask.
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  return { child, port: await once(child), agent };
}

async function cpuOf(child) {
  const answer = once(child);
  child.send('cpu');
  return answer;
}

function ask(port, path, headers = {}, method = 'GET', agent = false) {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers, method, agent }, (response) => {
      let bytes = 0;
      response.on('data', (chunk) => (bytes += chunk.length));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, bytes }));
    });
    asked.on('error', reject).end();
  });
}

/** Asks until a response is as it should be: what is stored, or made, a moment later. */
async function until(ask, isRight) {
  for (let at = 0; at < 500; at++) {
    const response = await ask();
    if (isRight(response)) return response;
  }
  throw new Error('no response is as it should be');
}

async function load({ server, path, headers = {}, method = 'GET', status = 200, amount }) {
  const { agent } = server;
  const before = await cpuOf(server.child);
  let left = amount;
  const client = async () => {
    while (left-- > 0) {
      const response = await ask(server.port, path, headers, method, agent);
      if (response.status !== status) throw new Error(`${method} ${path} is answered ${response.status}`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  return ((await cpuOf(server.child)) - before) / amount;
}

/** The comparisons that are asked for: of a row, or of a row at one size. */
function comparisons(only) {
  const [row, size] = only?.split('/') ?? [];
  return LIMITS.flatMap(({ row: name, over, atMost }) => {
    const sizes = over === '200' ? SIZES.map((kb) => ` ${kb} KB`) : [''];
    return sizes.map((at) => ({ row: name + at, over: over + at, atMost }));
  }).filter(
    ({ row: name }) =>
      row === undefined || (size === undefined ? name.startsWith(row) : name === `${row} ${size} KB`),
  );
}

async function measure(platform, rounds, wanted) {
  const [cache, middleware] = [await start(platform, false), await start(platform, true)];
  try {
    const plain = await until(
      () => ask(cache.port, '/bodies/102400'),
      ({ headers }) => headers.age !== undefined,
    );
    const coded = await until(
      () => ask(cache.port, '/bodies/102400', GZIP),
      ({ headers }) => headers['content-encoding'] === 'gzip',
    );
    const as = `/bodies/${coded.bytes - '{"text":""}'.length}`;
    await until(
      () => ask(middleware.port, '/bodies/102400', GZIP),
      ({ headers }) => headers.age !== undefined && headers['content-encoding'] === 'gzip',
    );
    const rows = { 'gzip 100 KB': { path: '/bodies/102400', headers: GZIP, amount: 400 } };
    // What it accepts is not made here: the same request, and a plain body.
    rows['plain, as large'] = { path: as, headers: { 'accept-encoding': 'br' }, amount: 400 };
    rows['gzip each time'] = { server: middleware, path: '/bodies/102400', headers: GZIP, amount: 60 };
    for (const size of SIZES) {
      const path = `/bodies/${size * 1_024}`;
      const { headers } = await until(
        () => ask(cache.port, path),
        (response) => response.headers.age !== undefined,
      );
      rows[`200 ${size} KB`] = { path, amount: 400 };
      rows[`304 ${size} KB`] = {
        path,
        headers: { 'if-none-match': headers.etag },
        status: 304,
        amount: 400,
      };
      rows[`HEAD ${size} KB`] = { path, method: 'HEAD', amount: 400 };
    }
    const isWanted = (name) => wanted.some(({ row, over }) => row === name || over === name);
    const measured = Object.entries(rows).filter(([name]) => isWanted(name));
    const samples = Object.fromEntries(measured.map(([name]) => [name, []]));
    for (let round = -1; round < rounds; round++)
      // Forwards and backwards in turns, so that a drift of the machine favours nobody.
      for (const [name, row] of round % 2 === 0 ? measured : measured.toReversed()) {
        const cpu = await load({ server: cache, ...row });
        if (round >= 0) samples[name].push(cpu);
      }
    print(`${platform}: 100 KB of text are ${plain.bytes} bytes, and ${coded.bytes} with gzip`);
    return samples;
  } finally {
    for (const { child, agent } of [cache, middleware]) {
      agent.destroy();
      child.disconnect();
    }
  }
}

function print(line) {
  process.stdout.write(`${line}\n`);
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

function quantile(sorted, part) {
  return sorted[Math.floor(sorted.length * part)].toFixed(2);
}

function check(samples, wanted) {
  for (const [name, all] of Object.entries(samples))
    print(`  ${name.padEnd(18)}${median(all).toFixed(0).padStart(7)} µs`);
  let held = true;
  for (const { row, over, atMost } of wanted) {
    const ratios = samples[row].map((cpu, round) => cpu / samples[over][round]).toSorted((a, b) => a - b);
    const isHeld = median(ratios) <= atMost;
    held &&= isHeld;
    // Rounds are short, so that what else the machine does falls on both: the middle half of them says more than all.
    const range = `(${quantile(ratios, 1 / 4)}–${quantile(ratios, 3 / 4)})`;
    print(
      `  ${isHeld ? 'held  ' : 'MISSED'} ${row} costs ${median(ratios).toFixed(2)} ${range} of ${over}, at most ${atMost}`,
    );
  }
  return held;
}

const { values } = parseArgs({
  options: {
    serve: { type: 'string' },
    middleware: { type: 'boolean', default: false },
    platform: { type: 'string' },
    rounds: { type: 'string', default: '45' },
    only: { type: 'string' },
  },
});
if (values.serve !== undefined) await serve(values.serve, values.middleware);
else {
  const wanted = comparisons(values.only);
  if (wanted.length === 0) throw new Error(`--only ${values.only} names none of the rows`);
  let held = true;
  for (const platform of values.platform === undefined ? ['fastify', 'express'] : [values.platform])
    held = check(await measure(platform, Number(values.rounds), wanted), wanted) && held;
  process.exitCode = held ? 0 : 1;
}
