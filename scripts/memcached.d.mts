/**
 * Path of memcached: from PATH, or else installed with the system's package manager where this process may. Looks once
 * a process.
 *
 * @throws Error with one line that says what to install
 * @example const program = await findMemcached();
 */
export function findMemcached(): Promise<string>;
