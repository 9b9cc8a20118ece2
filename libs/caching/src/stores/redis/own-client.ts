import type { NodeAddress, ServerClient } from './node-redis.js';

/** Commands that wait for their reply on one connection; beyond it they fail at once. */
export const MAX_IN_FLIGHT = 10_000;

/** Reaching a server takes milliseconds, or it won't answer. Below the deadline of the whole attempt. */
const CONNECT_TIMEOUT = 900;

/** For PINGs, when the queue is full of commands. */
const SPARE = 100;

/** RESP's types for strings, as node-redis 5 and 6 number them: `$` and `+`. */
const STRINGS_AS_BUFFERS = { 36: Buffer, 43: Buffer };

/** Options that make a client predictable: it fails at once, and never tries again by itself. */
export const OWN_OPTIONS = {
  disableOfflineQueue: true,
  commandsQueueMaxLength: MAX_IN_FLIGHT + SPARE,
  pingInterval: undefined,
  readonly: false,
  // node-redis 4
  legacyMode: false,
  isolationPoolOptions: undefined,
  // node-redis 5 and 6
  RESP: 2,
  maintNotifications: 'disabled',
  clientSideCache: undefined,
  emitInvalidate: undefined,
  // `timeout`: node-redis 6 starts a timer of 5 seconds for each command.
  commandOptions: { typeMapping: STRINGS_AS_BUFFERS, timeout: undefined },
} as const;

/**
 * A new client with the options of `template`, such as TLS, credentials, database and name. It is not connected yet.
 *
 * @param address where to, if not where `template` goes
 */
export function ownClient(template: ServerClient, address?: NodeAddress): ServerClient {
  return template.duplicate({
    ...OWN_OPTIONS,
    ...(address !== undefined && { url: undefined }),
    socket: {
      ...template.options?.socket,
      ...(address !== undefined && { host: address.host, port: address.port }),
      connectTimeout: CONNECT_TIMEOUT,
      reconnectStrategy: false,
      socketTimeout: undefined,
    },
  });
}
