/**
 * What events cost a hit: while nobody listens, beside a copy of this build that has none of the code for events on the
 * way of a hit, and with metrics, beside the same application without.
 *
 *   npm run bench:events [-- processes]
 *
 * Two servers can't show one per cent: processes of the very same code differ by more. So the module's own part of a hit,
 * all that happens in its interceptor, is timed without a network in several processes, the two ways in turns; what one
 * takes more than the other is compared with the CPU time of a whole hit of 10 KB over HTTP, measured in the same run.
 * Exits with 1 where a limit is missed.
 */
import 'reflect-metadata';
import { fork } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Controller, Get } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import ts from 'typescript';

/** How much of the throughput without a way has to be left with it. */
const LIMITS = { silent: 0.99, metrics: 0.95 };
const PROCESSES = Number(process.argv[2] ?? 7);
const BLOCKS = 60;
const HITS = 20_000;

const BUILD = new URL('../libs/caching/dist/', import.meta.url);
const WITHOUT = new URL('../dist/without-events/', import.meta.url);
/** Where a hit passes code for events. */
const ON_THE_WAY = ['view-cache.interceptor.js', 'http/view-server.js', 'http/delivery.js'];
/** The only function there that is called for a request which has somebody to tell. */
const NOT_CALLED = 'timed';

/** The build with every `trace` taken out of the files on a hit's way. */
function writeWithout() {
  rmSync(WITHOUT, { recursive: true, force: true });
  cpSync(BUILD, WITHOUT, { recursive: true });
  for (const name of ON_THE_WAY) {
    const file = new URL(name, WITHOUT);
    const source = ts.createSourceFile(name, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
    const printed = ts.createPrinter({ removeComments: true }).printFile(withoutTrace(source));
    const left = printed
      .replace(new RegExp(`function ${NOT_CALLED}\\([\\s\\S]*?\\n}`), '')
      .match(/.*\btrace\b.*/);
    if (left !== null) throw new Error(`${name} still has ${left[0]}`);
    writeFileSync(file, printed);
  }
}

function withoutTrace(source) {
  const isTrace = (node) =>
    (ts.isPropertyAccessExpression(node) && node.name.text === 'trace') ||
    (ts.isIdentifier(node) && node.text === 'trace' && !ts.isPropertyAccessExpression(node.parent));
  /** Whether it is `trace`, or what is called on it. */
  const isOfTrace = (node) =>
    isTrace(node) ||
    (ts.isIdentifier(node) && node.text === 'trace') ||
    ((ts.isCallExpression(node) || ts.isPropertyAccessExpression(node)) && isOfTrace(node.expression));
  const { transformed } = ts.transform(source, [
    (context) => {
      const { factory } = context;
      const visit = (node) => {
        if (ts.isFunctionDeclaration(node) && node.name?.text === NOT_CALLED) return node;
        if (ts.isBindingElement(node) && node.name.getText() === 'trace') return undefined;
        if (ts.isPropertyAssignment(node) && node.name.getText() === 'trace') return undefined;
        if (ts.isExpressionStatement(node)) {
          const { expression } = node;
          const told = ts.isBinaryExpression(expression) ? expression.left : expression;
          if (isOfTrace(told)) return factory.createEmptyStatement();
        }
        if (isOfTrace(node)) return factory.createVoidZero();
        return ts.visitEachChild(node, visit, context);
      };
      return (file) => ts.visitNode(file, visit);
    },
  ]);
  return transformed[0];
}

/** An application whose only route is stored, and a hit of it as far as the module's interceptor takes it. */
async function makeHit(build, caching) {
  const { CacheView, CachingModule } = await import(new URL('index.js', build).href);
  const { CachingRuntime } = await import(new URL('caching.runtime.js', build).href);
  class Books {
    list() {
      return { title: 'x'.repeat(1_000) };
    }
  }
  Controller('books')(Books);
  const method = Object.getOwnPropertyDescriptor(Books.prototype, 'list');
  Get()(Books.prototype, 'list', method);
  CacheView({ ttl: '1h' })(Books.prototype, 'list', method);
  class Root {}
  const root = { module: Root, imports: [CachingModule.forRoot(caching)], controllers: [Books] };
  const app = await NestFactory.create(root, { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  await (await fetch(`${await app.getUrl()}/books`)).text();
  const { interceptor } = app.get(CachingRuntime).http;
  const headers = { host: '127.0.0.1' };
  let ran = 0;
  const next = { handle: () => ran++ };
  const once = () => {
    const request = { method: 'GET', url: '/books', originalUrl: '/books', headers, params: {}, query: {} };
    const response = { headersSent: false };
    const http = { getRequest: () => request, getResponse: () => response };
    const context = {
      getType: () => 'http',
      getClass: () => Books,
      getHandler: () => method.value,
      switchToHttp: () => http,
    };
    return interceptor.intercept(context, next);
  };
  const block = () => {
    const before = process.cpuUsage();
    for (let hit = 0; hit < HITS; hit++) once();
    const { user, system } = process.cpuUsage(before);
    if (ran > 0) throw new Error('A hit ran the handler.');
    return ((user + system) / HITS) * 1_000;
  };
  return { block, close: () => app.close() };
}

/** In a process of its own: nanoseconds of one way and the other, the least of all blocks. */
async function compare(what, isReversed) {
  const ways =
    what === 'silent'
      ? [() => makeHit(WITHOUT, {}), () => makeHit(BUILD, {})]
      : [() => makeHit(BUILD, {}), async () => makeHit(BUILD, { metrics: await exporter(what) })];
  const order = isReversed ? [1, 0] : [0, 1];
  const hits = [];
  for (const way of order) hits[way] = await ways[way]();
  const least = [Infinity, Infinity];
  for (let round = 0; round < BLOCKS; round++)
    for (const way of round % 2 === 0 ? order : order.toReversed())
      least[way] = Math.min(least[way], hits[way].block());
  process.send(least);
  for (const { close } of hits) await close();
  process.disconnect();
}

async function exporter(what) {
  if (what === 'prom-client') {
    const { prometheus } = await import('../libs/caching/dist/prometheus.js');
    return prometheus();
  }
  const { openTelemetry } = await import('../libs/caching/dist/open-telemetry.js');
  const sdk = await import('@opentelemetry/sdk-metrics');
  const store = new sdk.InMemoryMetricExporter(sdk.AggregationTemporality.CUMULATIVE);
  const reader = new sdk.PeriodicExportingMetricReader({ exporter: store, exportIntervalMillis: 1_000 });
  return openTelemetry({ meter: new sdk.MeterProvider({ readers: [reader] }).getMeter('bench') });
}

function inProcess(what, isReversed) {
  const child = fork(fileURLToPath(import.meta.url), ['--compare', what, String(isReversed)]);
  return new Promise((resolve, reject) => {
    let told;
    child.on('message', (message) => (told = message));
    child.on('exit', (code) =>
      told === undefined ? reject(new Error(`It ended with ${code}.`)) : resolve(told),
    );
  });
}

/** Microseconds of CPU of a whole hit of 10 KB on Fastify, the least of several runs: against it all of this counts most. */
async function wholeHit() {
  const { ServerProcess } = await import('../dist/bench/server-process.js');
  const { Cell } = await import('../dist/bench/cell.js');
  const { ROWS } = await import('../dist/bench/rows.js');
  const row = ROWS.find(({ name }) => name === 'hit');
  const server = await ServerProcess.start({ row, platform: 'fastify', library: 'nestjs-caching' });
  try {
    const cell = new Cell({ row, platform: 'fastify', size: 10, server, redis: undefined });
    await cell.warmUp({ warmUp: 1.5, run: 0.4 });
    for (let run = 0; run < 9; run++) await cell.run();
    if (cell.problem !== undefined) throw new Error(cell.problem);
    return Math.min(...cell.samples.map(({ cpu }) => cpu));
  } finally {
    await server.stop();
  }
}

const print = (line) => process.stdout.write(`${line}\n`);
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

async function main() {
  writeWithout();
  const whole = await wholeHit();
  print(`A whole hit, 10 KB on Fastify: ${whole.toFixed(1)} µs of CPU.\n`);
  let held = true;
  const ways = [
    ['silent', 'nobody listening, beside a build without events', LIMITS.silent],
    ['prom-client', 'metrics in prom-client, beside none', LIMITS.metrics],
    ['OpenTelemetry', 'metrics in OpenTelemetry, beside none', LIMITS.metrics],
  ];
  for (const [what, title, limit] of ways) {
    const pairs = [];
    for (let count = 0; count < PROCESSES; count++) pairs.push(await inProcess(what, count % 2 === 1));
    const more = pairs.map(([without, with_]) => with_ - without);
    const parts = [0, 1].map((way) => median(pairs.map((pair) => pair[way])).toFixed(0));
    const nanoseconds = median(more);
    const share = whole / (whole + nanoseconds / 1_000);
    held &&= share >= limit;
    print(
      `${share >= limit ? 'holds ' : 'MISSED'} ${title}: ${share.toFixed(4)} of its throughput (at least ${limit}); ` +
        `the module's part ${parts[1]} ns instead of ${parts[0]}, ${nanoseconds.toFixed(0)} ns more ` +
        `(${Math.min(...more).toFixed(0)} to ${Math.max(...more).toFixed(0)})`,
    );
  }
  process.exitCode = held ? 0 : 1;
}

const [mode, what, isReversed] = process.argv.slice(2);
await (mode === '--compare' ? compare(what, isReversed === 'true') : main());
