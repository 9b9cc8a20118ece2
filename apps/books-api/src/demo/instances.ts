import { setTimeout as delay } from 'node:timers/promises';
import { CLASSICS_BEFORE_1900 } from '../books/data/classics-before-1900.js';
import { Load, type LoadResult } from './load.js';
import { type Expectation, Player } from './player.js';
import { RedisProcess } from './redis-process.js';
import { book, reprice } from './requests.js';
import { type RunningApp, startApp } from './running-app.js';
import { type SharedDatabase, shareDatabase } from './shared-database.js';
import { waitFor } from './wait-for.js';

/** A privileged port that nothing is assigned to: no text is analysed here, so no model service has to run. */
const NO_MODEL = 'http://127.0.0.1:2';

const NAME = 'moby-dick';
/** Milliseconds: a message takes about one, and where it is lost the next heartbeat tells. */
const OTHERS_SEE_IT = 600;
/** Milliseconds from the first PONG of the new Redis to hits in all instances. */
const RECOVERED = 1_500;
/** Milliseconds that the cache may cost a request whatever happens to Redis, and as much for the rest of it. */
const SLOWEST = 1_000;
const CLIENTS = 4;
const OUTAGE = 2_000;

const write: Expectation = { status: 204, verdict: '-', runs: 1 };
const miss = (price: number): Expectation => ({ status: 200, verdict: 'MISS', runs: 1, body: shows(price) });
const hit = (price: number): Expectation => ({ status: 200, verdict: 'HIT', runs: 0, body: shows(price) });
const shows = (price: number) => (body: string) => body.includes(`"price":${price}`);

const failures: string[] = [];

function print(line: string): void {
  process.stdout.write(line);
}

function check(ok: boolean, line: string): void {
  print(`${ok ? '✓' : '✗'}  ${line}\n`);
  if (!ok) failures.push(line);
}

/** Everything that runs, last started first ended. */
const running: (() => Promise<unknown>)[] = [];

async function start<T extends RunningApp | RedisProcess | SharedDatabase>(starting: Promise<T>): Promise<T> {
  const started = await starting;
  if (stopping !== undefined) {
    await started.stop();
    throw new Error('It started too late: everything is being ended');
  }
  running.unshift(() => started.stop());
  return started;
}

let stopping: Promise<void> | undefined;

/** Whoever asks first, everybody waits until all of it has ended. */
function stopAll(): Promise<void> {
  stopping ??= (async () => {
    for (const stop of running.splice(0)) await stop();
  })();
  return stopping;
}

class Instance extends Player {
  constructor(
    readonly name: string,
    readonly app: RunningApp,
  ) {
    super(app.url, print);
  }

  /** Reads the book until it is answered as expected; tells after how many milliseconds, and what came until then. */
  async until(
    what: string,
    bound: number,
    expected: (verdict: string, body: string) => boolean,
  ): Promise<{ milliseconds: number; bodies: string[] }> {
    const begin = performance.now();
    const bodies: string[] = [];
    await waitFor(what, bound, async () => {
      const response = await fetch(this.app.url + book(NAME).path);
      const body = await response.text();
      bodies.push(body);
      return response.status === 200 && expected(response.headers.get('x-cache') ?? '-', body)
        ? body
        : undefined;
    });
    return { milliseconds: performance.now() - begin, bodies };
  }

  /** After an acknowledged write elsewhere. */
  async seesSoon(price: number): Promise<void> {
    const what = `${this.name} shows ${price}`;
    const { milliseconds, bodies } = await this.until(what, OTHERS_SEE_IT, (_verdict, body) =>
      shows(price)(body),
    );
    check(true, `${what}: read ${bodies.length} after the reply of the write, ${milliseconds.toFixed(1)} ms`);
    // It is stored after the reply: whoever asks the other instance at once may be earlier than that.
    await this.until(`${what} from the cache`, OTHERS_SEE_IT, (verdict) => verdict === 'HIT');
  }
}

function report(what: string, { requests, failures: failed, verdicts, median, slowest }: LoadResult): void {
  const counts = Object.entries(verdicts).map(([verdict, count]) => `${count} ${verdict}`);
  const ok = requests > 0 && failed.length === 0 && slowest < SLOWEST;
  const times = `median ${median.toFixed(1)} ms, slowest ${slowest.toFixed(0)} ms`;
  check(ok, `${what}: ${requests} requests, ${failed.length} failed; ${counts.join(', ')}; ${times}`);
  failures.push(...failed.slice(0, 5));
}

async function twoInstances(a: Instance, b: Instance, load: Load): Promise<void> {
  a.chapter('Two instances, one Redis: what one stores or changes holds for both');
  await a.play('A: a price to start from', reprice(NAME, 11.5), write);
  await a.play('A: the book, for the first time', book(NAME), miss(11.5));
  await b.play('B: the same, through Redis', book(NAME), hit(11.5));
  await b.play('B: again, from its memory', book(NAME), hit(11.5));
  await a.play('A: a new price', reprice(NAME, 7.25), write);
  await b.seesSoon(7.25);
  await a.play('A: what B has stored', book(NAME), hit(7.25));
  await b.play('B: a new price', reprice(NAME, 8), write);
  await a.seesSoon(8);
  report('Meanwhile, pages of other books', load.take());
}

async function withoutRedis(a: Instance, b: Instance, load: Load, redis: RedisProcess): Promise<void> {
  a.chapter('Redis is killed: requests go on');
  await redis.kill();
  await delay(OUTAGE);
  report(`${OUTAGE / 1_000} s without Redis`, load.take());
  await a.play('A: the handler runs', book(NAME), miss(8));
  await b.play('B: the handler runs', book(NAME), miss(8));
  await a.play('A: a new price, which Redis is not told of', reprice(NAME, 9.75), write);
  await a.play('A: shows it at once', book(NAME), miss(9.75));
  await b.play('B: trusts nothing that it has', book(NAME), miss(9.75));
  const isQueued = async () => a.app.logged(`The eviction of "${NAME}" waits for Redis`) === 1 || undefined;
  await waitFor('A says that its eviction is queued', OTHERS_SEE_IT, isQueued);
  check(true, 'A: the receipt of the eviction said that it is queued');
}

async function recovery(a: Instance, b: Instance, load: Load, redis: RedisProcess): Promise<void> {
  a.chapter('Redis is started again, with what it had stored when it was killed');
  await redis.start();
  const isHit = (verdict: string) => verdict === 'HIT';
  const recovered = await Promise.all(
    [a, b].map(async (each) => ({
      each,
      ...(await each.until(`${each.name} hits again`, RECOVERED, isHit)),
    })),
  );
  for (const { each, milliseconds, bodies } of recovered) {
    const stale = bodies.filter((body) => !shows(9.75)(body)).length;
    check(
      stale === 0,
      `${each.name}: hits again after ${milliseconds.toFixed(0)} ms; ${stale} stale of ${bodies.length} reads`,
    );
  }
  report('From the outage to here', load.take());
  await b.play('B: a new price', reprice(NAME, 10.5), write);
  await a.seesSoon(10.5);
  await b.play('B: what A has stored', book(NAME), hit(10.5));
  const queued = a.app.logged('waits for Redis') + b.app.logged('waits for Redis');
  check(queued === 1, 'No eviction but the one in the outage was queued');
}

async function play(): Promise<void> {
  const [redis, database] = await Promise.all([start(RedisProcess.start()), start(shareDatabase())]);
  const environment = { REDIS_URL: redis.url, DATABASE_URL: database.url, MODEL_URL: NO_MODEL };
  // One after the other: the first prepares the database.
  const a = new Instance('A', await start(startApp(environment)));
  const b = new Instance('B', await start(startApp(environment)));
  print(`A ${a.app.url}   B ${b.app.url}   Redis ${redis.url}\n`);
  const others = CLASSICS_BEFORE_1900.slice(0, 20).map(([name]) => `${book(name).path}/page`);
  const load = new Load(
    others.flatMap((path) => [a.app.url + path, b.app.url + path]),
    CLIENTS,
  );
  try {
    await twoInstances(a, b, load);
    await withoutRedis(a, b, load, redis);
    await recovery(a, b, load, redis);
  } finally {
    await load.stop();
    failures.push(...a.failures, ...b.failures);
  }
  report('Until the end', load.take());
}

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupted = true;
    void stopAll();
  });
}

try {
  await play();
  print(failures.length === 0 ? '\nEverything as expected.\n' : `\nUnexpected:\n${failures.join('\n')}\n`);
  process.exitCode = failures.length === 0 ? 0 : 1;
} catch (error) {
  // Requests fail while everything is being ended.
  if (!interrupted) throw error;
  print('\nInterrupted.\n');
  process.exitCode = 1;
} finally {
  await stopAll();
}
