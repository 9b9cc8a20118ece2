/** Programs of one installed Redis. */
export interface RedisPrograms {
  /** Path of redis-server; it is also what runs a sentinel, with `--sentinel`. */
  readonly server: string;
  /** Path of redis-cli. */
  readonly cli: string;
  /** As in `7.0.15`. */
  readonly version: string;
}

/**
 * Finds redis-server and redis-cli on PATH, or else installs them with the system's package manager where this process
 * may. Looks once a process; two processes may call it at once. No service is started by it.
 *
 * @throws Error with one line that says what to install
 * @example const { server } = await findRedisServer();
 */
export function findRedisServer(): Promise<RedisPrograms>;
