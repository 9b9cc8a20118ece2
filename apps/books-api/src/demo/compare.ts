import autocannon from 'autocannon';
import { CLASSICS_BEFORE_1900 } from '../books/data/classics-before-1900.js';
import { startApp } from './running-app.js';

/** Requests per second with the cache over those without, at least; measured side by side, in turns. */
interface Comparison {
  readonly name: string;
  readonly atLeast: number;
  /** A number of requests instead of a time: with 1.5 s each, those that the end cuts off would count. */
  readonly requestsWithoutCache?: number;
  readonly request: { method: 'GET' | 'POST'; path: string; body?: string; headers?: Record<string, string> };
}

const TEXT = CLASSICS_BEFORE_1900.map(
  ([, title, author, year, language]) =>
    `${title} is by ${author}, who wrote it in ${language}; it came out in ${year}.`,
).join(' ');

const COMPARISONS: readonly Comparison[] = [
  {
    name: 'POST /analysis',
    atLeast: 5,
    request: {
      method: 'POST',
      path: '/analysis',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: TEXT }),
    },
  },
  {
    name: 'GET /books',
    atLeast: 100,
    requestsWithoutCache: 30,
    request: { method: 'GET', path: '/books' },
  },
];

const ROUNDS = 3;
const SECONDS = 5;
const CONNECTIONS = 10;

type Request = Comparison['request'];

async function perSecond(url: string, { path, ...request }: Request, amount?: number): Promise<number> {
  // It looks whether it is done only when it samples.
  const limit = amount === undefined ? { duration: SECONDS } : { amount, sampleInt: 50 };
  const result = await autocannon({ url: url + path, ...request, connections: CONNECTIONS, ...limit });
  if (result.errors > 0 || result.timeouts > 0 || result.non2xx > 0 || result['2xx'] === 0) {
    throw new Error(
      `No ratio of a run with errors: ${result.errors} errors, ${result.timeouts} timeouts, ${result.non2xx} not 2xx`,
    );
  }
  return result['2xx'] / result.duration;
}

/** Both must answer the same, one from the cache and one not: otherwise the ratio would compare something else. */
async function check(cached: string, plain: string, { path, ...request }: Request): Promise<void> {
  await bodyAndVerdict(cached + path, request);
  const [hit, plainAnswer] = [
    await bodyAndVerdict(cached + path, request),
    await bodyAndVerdict(plain + path, request),
  ];
  if (hit.verdict !== 'HIT') throw new Error(`${path} should come from the cache, but is ${hit.verdict}`);
  if (plainAnswer.verdict === 'HIT') throw new Error(`${path} comes from a cache that is off`);
  if (hit.body !== plainAnswer.body) throw new Error(`${path} differs with and without the cache`);
}

async function bodyAndVerdict(
  url: string,
  request: RequestInit,
): Promise<{ body: string; verdict: string | null }> {
  const response = await fetch(url, request);
  return { body: await response.text(), verdict: response.headers.get('x-cache') };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function compare(cached: string, plain: string, comparison: Comparison): Promise<boolean> {
  const { name, atLeast, request, requestsWithoutCache } = comparison;
  await check(cached, plain, request);
  const rates: { on: number; off: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    rates.push({
      on: await perSecond(cached, request),
      off: await perSecond(plain, request, requestsWithoutCache),
    });
  }
  const ratio = median(rates.map(({ on, off }) => on / off));
  const on = median(rates.map((rate) => rate.on)).toFixed(0);
  const off = median(rates.map((rate) => rate.off)).toFixed(1);
  const ok = ratio >= atLeast;
  process.stdout.write(
    `${ok ? '✓' : '✗'} ${name.padEnd(15)} cache on ${on.padStart(6)} req/s   CACHE=off ${off.padStart(6)} req/s   ` +
      `ratio ${ratio.toFixed(1)} (at least ${atLeast})\n`,
  );
  return ok;
}

const apps = await Promise.all([startApp(), startApp({ CACHE: 'off' })]);
const [cached, plain] = apps;
try {
  process.stdout.write(
    `${CONNECTIONS} connections, ${ROUNDS} rounds in turns, ${SECONDS} s each; medians.\n`,
  );
  for (const comparison of COMPARISONS) {
    if (!(await compare(cached.url, plain.url, comparison))) process.exitCode = 1;
  }
} finally {
  await Promise.all(apps.map((app) => app.stop()));
}
