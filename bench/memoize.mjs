/**
 * A memoized hit in memory beside a bare `lru-cache` with the copy that protects the value, and beside `wrap` of
 * cache-manager, in one run; and the eviction of all calls of a method. Exits with 1 where one of the limits below is
 * passed.
 *
 *   npm run bench:memoize [-- entries]
 */
import 'reflect-metadata';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createCache } from 'cache-manager';
import { LRUCache } from 'lru-cache';
import { CacheEvictionService, CachingModule, memoize, memory } from '../libs/caching/dist/index.js';
import { CopyShape } from '../libs/caching/dist/cache/copy-shape.js';
import { ownCopy } from '../libs/caching/dist/cache/value-gate.js';

const LIMITS = {
  /** How many times as long as a bare look-up and the copy a hit may take. */
  bare: 3,
  /** How many times faster than cache-manager's `wrap` a hit is at least. */
  wrap: 5,
  /** Milliseconds of one eviction of all calls of a method. */
  eviction: 1,
};

/** In one of the processes that measure, it measures; else it starts them. */
const IS_CHILD = process.argv[2] === 'hits';
const ENTRIES = IS_CHILD ? 1_000 : Number(process.argv[2] ?? 1_000_000);
/** V8 does not compile the same code alike in all of them. */
const PROCESSES = 5;
const KEYS = 100;
const ROUNDS = 12;
/** Of each value before any is measured, so that the first is compiled for as many kinds as the last. */
const WARM_UP = 4;
/** Processor time of one measurement, about, in nanoseconds. */
const SLICE = 4e6;
const TTL = 3_600_000;

Logger.overrideLogger(false);

function book(id) {
  return { id, title: `The title of book number ${id}`, price: 9.5, tags: ['a', 'b'], available: true };
}

const VALUES = {
  'a number': (id) => id,
  'a text of 1 KB': (id) => `${id}`.padEnd(1_024, 'x'),
  'an object of five members': book,
  'a list of ten such, 1 KB': (id) => Array.from({ length: 10 }, (_, at) => book(id + at)),
  'a list of a hundred, 10 KB': (id) => Array.from({ length: 100 }, (_, at) => book(id + at)),
  'a Map with a Date and a Buffer': (id) =>
    new Map([
      ['at', new Date(id)],
      ['bytes', Buffer.from(`bytes of ${id}`)],
    ]),
};

/** Only what can be frozen. */
const FROZEN = ['an object of five members', 'a list of a hundred, 10 KB'];

/** Of the processor, as others may take turns on it. */
async function nanoseconds(call, keys, calls) {
  const start = process.cpuUsage();
  for (let at = 0; at < calls; at++) await call(keys[at % KEYS]);
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1_000) / calls;
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** The ways take turns, so that what else runs on the machine reaches all of them. */
async function measure(ways, keys, rounds) {
  const times = ways.map(() => []);
  const calls = ways.map(() => 1_000);
  for (let round = 0; round < rounds; round++) {
    for (const [at, way] of ways.entries()) {
      const time = await nanoseconds(way, keys, calls[at]);
      if (round > 2) times[at].push(time);
      else calls[at] = Math.ceil(SLICE / Math.max(time, 20));
    }
  }
  return times.map(median);
}

async function hits(name, freeze, rounds = ROUNDS) {
  const make = VALUES[name];
  const keys = Array.from({ length: KEYS }, (_, at) => `key number ${at}`);
  const values = new Map(keys.map((key, at) => [key, make(at)]));
  // What a memoized hit gives, and how it copies.
  const lru = new LRUCache({ max: 1_000, ttl: TTL });
  const shape = new CopyShape();
  const isObject = typeof make(1) === 'object';
  for (const [key, value] of values) {
    const own = ownCopy(value, Number.MAX_SAFE_INTEGER).value;
    if (isObject) shape.cover(own);
    lru.set(key, own);
  }
  const protectedBy = (copy) => (freeze || !isObject ? (key) => lru.get(key) : (key) => copy(lru.get(key)));
  const shared = createCache({ ttl: TTL });
  let runs = 0;
  const run = async (key) => {
    runs++;
    return values.get(key);
  };
  const memoized = memoize(run, { name: `${name} ${freeze} ${rounds}`, ttl: TTL, freeze });
  const ways = [
    protectedBy((value) => shape.copy(value)),
    protectedBy(structuredClone),
    (key) => memoized(key),
    (key) => shared.wrap(key, () => run(key)),
    freeze
      ? (key) => shared.wrap(key, () => run(key))
      : async (key) => structuredClone(await shared.wrap(key, () => run(key))),
  ];
  const [bare, cloned, hit, wrap, wrapCloned] = await measure(ways, keys, rounds);
  // Two runs each: one of ours, one of wrap's.
  if (runs !== 2 * KEYS) throw new Error(`${name}: ${runs} runs, so these were not hits`);
  return { name: freeze ? `${name}, frozen` : name, bare, cloned, hit, wrap, wrapCloned };
}

function row(cells) {
  const [name, ...figures] = cells;
  process.stdout.write(
    `${String(name).padEnd(42)}${figures.map((figure) => String(figure).padStart(13)).join('')}\n`,
  );
}

const ROWS = [...Object.keys(VALUES).map((each) => [each, false]), ...FROZEN.map((each) => [each, true])];

const failures = [];

/** All rows, in this process. */
async function measureAll() {
  for (const [name, freeze] of ROWS) await hits(name, freeze, WARM_UP);
  const results = [];
  for (const [name, freeze] of ROWS) results.push(await hits(name, freeze));
  return results;
}

async function measureElsewhere() {
  const child = fork(fileURLToPath(import.meta.url), ['hits']);
  const [results] = await once(child, 'message');
  child.disconnect();
  return results;
}

/** Figures and ratios are medians over the processes. */
async function compare() {
  const processes = [];
  for (let at = 0; at < PROCESSES; at++) processes.push(await measureElsewhere());
  const columns = [
    'lru + copy',
    'lru + clone',
    'memoized',
    'wrap',
    'wrap + clone',
    'to lru+copy',
    'to wrap',
    'and clone',
  ];
  row(['nanoseconds a call', ...columns]);
  for (const [at, [name, freeze]] of ROWS.entries()) {
    const of = (figure) => median(processes.map((results) => figure(results[at])));
    const times = ['bare', 'cloned', 'hit', 'wrap', 'wrapCloned'].map((way) =>
      Math.round(of((result) => result[way])),
    );
    const label = processes[0][at].name;
    const toBare = of(({ hit, bare }) => hit / bare);
    const toWrap = of(({ hit, wrap }) => wrap / hit);
    const toCloned = of(({ hit, wrapCloned }) => wrapCloned / hit);
    row([label, ...times, toBare.toFixed(2), `${toWrap.toFixed(1)} x`, `${toCloned.toFixed(1)} x`]);
    if (toBare > LIMITS.bare) failures.push(`${label}: ${toBare.toFixed(2)} times a bare look-up`);
    // What wrap gives is everybody's, for anybody to change: where a copy is taken, it is compared with one.
    const isCopied = !freeze && typeof VALUES[name](1) === 'object';
    const faster = isCopied ? toCloned : toWrap;
    if (faster < LIMITS.wrap) failures.push(`${label}: ${faster.toFixed(1)} times faster than wrap`);
  }
}

async function evict(app) {
  let runs = 0;
  const square = memoize(async (n) => (runs++, n * n), { name: 'square', ttl: TTL });
  for (let n = 0; n < ENTRIES; n++) await square(n);
  for (let n = 0; n < ENTRIES; n++) await square(n);
  if (runs !== ENTRIES) throw new Error(`${runs} runs for ${ENTRIES} entries`);
  const service = app.get(CacheEvictionService);
  const small = memoize(async (n) => n, { name: 'small', ttl: TTL });
  // So that what is measured is an eviction and not the compiler.
  for (let n = 0; n < 1_000; n++) await service.byMemoized(small);
  const start = process.hrtime.bigint();
  await service.byMemoized(square);
  const took = Number(process.hrtime.bigint() - start) / 1e6;
  const before = runs;
  for (let n = 0; n < ENTRIES; n++) await square(n);
  const stale = ENTRIES - (runs - before);
  process.stdout.write(
    `\nEviction of all calls of a method with ${ENTRIES} entries: ${took.toFixed(3)} ms, ${stale} stale after.\n`,
  );
  if (took >= LIMITS.eviction) failures.push(`eviction took ${took} ms`);
  if (stale > 0) failures.push(`${stale} stale results`);
}

class App {}
const store = memory({ maxEntries: ENTRIES + 10_000, maxBytes: 8 * 1024 ** 3 });
const app = await NestFactory.createApplicationContext(
  { module: App, imports: [CachingModule.forRoot({ store })] },
  { logger: false },
);
if (IS_CHILD) process.send(await measureAll());
else {
  await compare();
  await evict(app);
}
await app.close();
for (const failure of failures) process.stdout.write(`Beyond its limit: ${failure}\n`);
process.exitCode = failures.length === 0 ? 0 : 1;
