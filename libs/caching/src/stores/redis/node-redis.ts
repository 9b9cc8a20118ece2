/**
 * What is used of node-redis, in the form that its majors 4, 5 and 6 have in common: an application may have any of
 * them, so none of their types or classes is imported.
 */

type Method<Result = unknown> = (...args: never[]) => Result;

/** A client of node-redis 4, 5 or 6 for one server: what `createClient()` gives. It may stay unconnected. */
export interface NodeRedisServer {
  readonly isOpen: boolean;
  readonly duplicate: Method;
  readonly connect: Method<Promise<unknown>>;
  readonly sendCommand: Method;
  readonly subscribe: Method;
}

/** What `createCluster()` of node-redis 4, 5 or 6 gives. It may stay unconnected. */
export interface NodeRedisCluster {
  readonly slots: readonly unknown[];
  readonly masters: readonly unknown[];
  readonly duplicate: Method;
  readonly connect: Method<Promise<unknown>>;
  readonly nodeClient: Method;
}

/** What `createSentinel()` of node-redis 5 or 6 gives. It has to be connected with node-redis 5. */
export interface NodeRedisSentinel {
  readonly isReady: boolean;
  readonly connect: Method<Promise<unknown>>;
  readonly getMasterNode: Method;
  readonly getSentinelNode: Method;
}

/** What `redisStore`, `redisInsStore`, `redisClusterStore` and `redisClusterInsStore` of cache-manager-redis-yet give. */
export interface NodeRedisHolder {
  readonly client: NodeRedisServer | NodeRedisCluster;
}

/** All that `redis({ client })` takes. */
export type NodeRedisClient = NodeRedisServer | NodeRedisCluster | NodeRedisSentinel | NodeRedisHolder;

/** Where a server listens. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/** The options of a client that have to be known to make another one. */
export interface ClientOptions {
  readonly socket?: Readonly<Record<string, unknown>> | undefined;
}

/** A client for one server, as it is used here. */
export interface ServerClient {
  readonly isOpen: boolean;
  readonly options?: ClientOptions | undefined;
  on(event: string, listener: (argument: unknown) => void): unknown;
  listenerCount(event: string): number;
  connect(): Promise<unknown>;
  duplicate(overrides: Readonly<Record<string, unknown>>): ServerClient;
  sendCommand(args: readonly (string | Buffer)[], options?: object): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  disconnect(): unknown;
  /** Majors 5 and 6. */
  destroy?(): void;
  /** Majors 5 and 6. */
  withTypeMapping?: unknown;
}

/** A cluster client, as it is used here: it knows the way to the cluster, commands never pass through it. */
export interface ClusterClient {
  readonly isOpen: boolean;
  readonly masters: readonly ClusterClientNode[];
  readonly replicas: readonly ClusterClientNode[];
  /** Majors 5 and 6. */
  readonly _options?: ClusterClientOptions | undefined;
  on(event: string, listener: (argument: unknown) => void): unknown;
  listenerCount(event: string): number;
  connect(): Promise<unknown>;
  duplicate(overrides: Readonly<Record<string, unknown>>): ClusterClient;
  nodeClient(node: NodeAddress): ServerClient | Promise<ServerClient>;
  disconnect(): unknown;
  destroy?(): void;
}

/** The options of a cluster client, as far as they are used here. */
export interface ClusterClientOptions {
  readonly nodeAddressMap?: NodeAddressMap | undefined;
  readonly defaults?: ClientOptions | undefined;
}

export interface ClusterClientNode extends NodeAddress {
  readonly client?: ServerClient | Promise<ServerClient> | undefined;
}

export type NodeAddressMap =
  Readonly<Record<string, NodeAddress>> | ((address: string) => NodeAddress | undefined);

/** A sentinel client, as it is used here: it knows who is the master, commands never pass through it. */
export interface SentinelClient {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  on(event: string, listener: (argument: unknown) => void): unknown;
  listenerCount(event: string): number;
  connect(): Promise<unknown>;
  getMasterNode(): NodeAddress | undefined;
  /** Hands out the client that is connected to the master. */
  _execute<T>(isReadonly: boolean, use: (client: ServerClient) => T): Promise<Awaited<T>>;
  /** Major 6. */
  duplicate?(overrides: Readonly<Record<string, unknown>>): SentinelClient;
  destroy(): unknown;
}

/** Ends what a client has open, at once, and throws nothing. */
export function endClient(client: {
  readonly isOpen: boolean;
  destroy?(): unknown;
  disconnect?(): unknown;
}): void {
  // A client that is closed throws, and has nothing to end.
  if (!client.isOpen) return;
  // Major 4 has no destroy(), and answers with a promise that may reject when the socket went away meanwhile.
  Promise.resolve(client.destroy === undefined ? client.disconnect?.() : client.destroy()).catch(
    () => undefined,
  );
}

/** A client without a listener ends the process with its first error. */
export function listenForErrors(client: {
  on(event: string, listener: (argument: unknown) => void): unknown;
  listenerCount(event: string): number;
}): void {
  if (client.listenerCount('error') === 0) client.on('error', () => undefined);
}
