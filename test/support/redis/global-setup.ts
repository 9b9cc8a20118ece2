import { findRedisServer } from '../../../scripts/redis-server.mjs';

/** Once a run, before its first spec: where there is no Redis and none can be installed, the run ends with what to do. */
export async function setup(): Promise<void> {
  await findRedisServer();
}
