import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Plan, readPlan, USAGE } from './arguments.js';
import type { Size } from './bodies.js';
import { Cell } from './cell.js';
import { CONNECTIONS } from './load.js';
import { findPins, pin, type Pins } from './pinning.js';
import { RedisProcess } from './redis-process.js';
import { Report } from './report.js';
import type { Platform } from './rows.js';
import { ServerProcess } from './server-process.js';

async function main(): Promise<number> {
  const plan = readPlan(process.argv.slice(2));
  const pins = findPins();
  if (pins !== undefined) pin(process.pid, pins.load);
  print(conditions(plan, pins));
  const cells: Cell[] = [];
  for (const platform of plan.platforms) {
    for (const size of plan.sizes) cells.push(...(await measure(plan, platform, size, pins)));
  }
  return conclude(plan, new Report(cells, plan.suite.columns));
}

function conditions(plan: Plan, pins: Pins | undefined): string {
  const cores = cpus().length;
  const load = plan.suite.needsRedis ? 'the load and Redis' : 'the load';
  const where =
    pins === undefined
      ? 'Nothing is pinned: taskset or a second core is missing, so servers and load share cores.'
      : `Servers are pinned to core ${pins.server}, ${load} to core ${pins.load}.`;
  return (
    `Node ${process.versions.node}, ${cores} cores, ${CONNECTIONS} keep-alive connections, ` +
    `${plan.rounds} interleaved rounds of about ${plan.seconds.run} s. ${where}\n` +
    'CPU is the server process alone. A ratio compares requests per second of CPU time, more is better: ' +
    'the median of the rounds (lowest–highest).\n\n'
  );
}

/**
 * All rows of a platform side by side: each has its process, and each round measures every one of them. One size
 * after the other: a store full of 1 KB bodies has to drop several for each of 10 KB.
 */
async function measure(plan: Plan, platform: Platform, size: Size, pins: Pins | undefined): Promise<Cell[]> {
  const servers: ServerProcess[] = [];
  const cells: Cell[] = [];
  const switched = new Map<string, ServerProcess>();
  // Beside the load: the server's core is the server's alone.
  const redis = plan.suite.needsRedis ? await RedisProcess.start(pins?.load) : undefined;
  try {
    for (const [place, row] of plan.rows.entries()) {
      const library =
        row.library === 'other' && plan.against !== undefined
          ? pathToFileURL(resolve(plan.against)).href
          : 'nestjs-caching';
      const shared = row.listens === undefined ? undefined : switched.get(row.server);
      const server =
        shared ??
        (await ServerProcess.start({
          row,
          platform,
          library,
          redis: redis?.url(place),
          core: pins?.server,
          profile: plan.profile,
        }));
      if (shared === undefined) servers.push(server);
      if (row.listens !== undefined) switched.set(row.server, server);
      cells.push(new Cell({ row, platform, size, server, redis }));
    }
    for (const cell of cells) await cell.warmUp(plan.seconds);
    for (let round = 0; round < plan.rounds; round++) {
      progress(`${platform}, ${size} KB: round ${round + 1} of ${plan.rounds}`);
      // Forwards and backwards in turns, so that a drift of the machine favours nobody.
      for (const cell of round % 2 === 0 ? cells : cells.toReversed()) await cell.run();
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await redis?.stop();
    progress('');
  }
  return cells;
}

function conclude(plan: Plan, report: Report): number {
  print(`${report.tables}\n`);
  print(lines([...report.prices, ...report.builds]));
  const { problems } = report;
  print(lines(problems.map((problem) => `NO MEASUREMENT ${problem}`)));
  if (plan.form === 'part') return problems.length > 0 ? 1 : 0;
  const { limits, shortLimits } = plan.suite;
  const { lines: checked, held } = report.check(plan.form === 'full' ? limits : shortLimits);
  print(lines(checked));
  return held && problems.length === 0 ? 0 : 1;
}

function lines(texts: readonly string[]): string {
  return texts.length === 0 ? '' : `${texts.join('\n')}\n\n`;
}

function print(text: string): void {
  process.stdout.write(text);
}

/** Where somebody watches: written over itself. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`);
}

// Otherwise what runs beside this process, such as Redis, would outlive it.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
