import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plan } from './arguments.js';
import type { Size } from './bodies.js';
import { Cell } from './cell.js';
import { groupBy } from './grouping.js';
import type { Pins } from './pinning.js';
import { RedisProcess } from './redis-process.js';
import type { Platform, Row } from './rows.js';
import { ServerProcess } from './server-process.js';

/** Rows that stand beside each other. */
export interface Neighbours {
  readonly rows: readonly Row[];
  readonly platform: Platform;
  readonly size: Size;
}

export interface Surroundings {
  readonly plan: Plan;
  readonly pins: Pins | undefined;
  /** Told now and then how far it is. */
  readonly progress: (text: string) => void;
}

/**
 * All that is measured once before anything is measured in another process. Every other generation begins with the other
 * end, so that nobody always goes first.
 */
export function neighboursOf({ rows, platforms, sizes }: Plan, generation: number): Neighbours[] {
  return platforms.flatMap((platform) =>
    sizes.flatMap((size) =>
      [...groupBy(rows(size), ({ group }) => group).values()].map((group) => ({
        rows: generation % 2 === 1 ? group : group.toReversed(),
        platform,
        size,
      })),
    ),
  );
}

/** New servers of rows, warmed up and measured side by side in each round, and ended. */
export async function measure(neighbours: Neighbours, around: Surroundings): Promise<Cell[]> {
  const { plan, pins, progress } = around;
  const servers: ServerProcess[] = [];
  // Beside the load: the server's core is the server's alone.
  const redis = plan.suite.needsRedis ? await RedisProcess.start(pins?.load) : undefined;
  try {
    const cells = await start(neighbours, { plan, pins, redis, servers });
    for (const cell of cells) await cell.warmUp(plan.seconds, plan.form !== 'short');
    for (let round = 0; round < plan.rounds; round++) {
      progress(`round ${round + 1} of ${plan.rounds}`);
      // Forwards and backwards in turns, so that a drift of the machine favours nobody.
      for (const cell of round % 2 === 0 ? cells : cells.toReversed()) await cell.run();
    }
    return cells;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await redis?.stop();
  }
}

interface Place {
  readonly plan: Plan;
  readonly pins: Pins | undefined;
  readonly redis: RedisProcess | undefined;
  /** Gets what was started, for the caller to end. */
  readonly servers: ServerProcess[];
}

async function start({ rows, platform, size }: Neighbours, place: Place): Promise<Cell[]> {
  const { plan, pins, redis, servers } = place;
  const cells: Cell[] = [];
  const switched = new Map<string, ServerProcess>();
  for (const [database, row] of rows.entries()) {
    const shared = row.listens === undefined ? undefined : switched.get(row.server);
    const server =
      shared ??
      (await ServerProcess.start({
        row,
        platform,
        library: libraryOf(row, plan),
        redis: redis?.url(database),
        core: pins?.server,
        profile: plan.profile,
      }));
    if (shared === undefined) servers.push(server);
    if (row.listens !== undefined) switched.set(row.server, server);
    cells.push(new Cell({ row, platform, size, server, redis }));
  }
  return cells;
}

function libraryOf({ library }: Row, { against }: Plan): string {
  return library === 'other' && against !== undefined
    ? pathToFileURL(resolve(against)).href
    : 'nestjs-caching';
}
