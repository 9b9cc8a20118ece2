import type { Clock } from '../../cache/clock.js';
import { nameOf } from './cluster-slots.js';
import {
  type ClusterClient,
  type ClusterClientOptions,
  endClient,
  listenForErrors,
  type NodeAddress,
  type NodeAddressMap,
  type ServerClient,
} from './node-redis.js';
import { ownClient } from './own-client.js';

/** Discovery by way of one stopped server would wait for ever; the next attempt may begin with another. */
const DISCOVERY_DEADLINE = 1_000;

/** The same for one connection of it. node-redis 4 has no such option: there the next bound counts. */
const SOCKET_TIMEOUT = 900;

/** Discoveries that wait for a stopped server can't be ended with node-redis 4; no more of them are begun. */
const MAX_WAITING = 8;

/**
 * How to make a client for any node of a cluster: node-redis' cluster object finds the first nodes, and one of its
 * clients is what ours are duplicates of. No command passes through it, as the cluster clients of majors 4 and 5 don't
 * recover from a primary that died.
 */
export class ClusterTemplate {
  readonly #options: ClusterClientOptions | undefined;
  readonly #map: NodeAddressMap | undefined;
  /** Found out from clients, as major 4 does not show its map. */
  readonly #learned = new Map<string, NodeAddress>();
  #template: ServerClient | undefined;
  #waiting = 0;

  constructor(
    private readonly given: ClusterClient,
    private readonly clock: Clock,
  ) {
    this.#options = optionsOf(given);
    this.#map = this.#options?.nodeAddressMap;
  }

  /** @throws Error before the first discovery */
  client(node: NodeAddress): ServerClient {
    if (this.#template === undefined) throw new Error('no node of the cluster is known yet');
    const name = nameOf(node);
    const mapped = typeof this.#map === 'function' ? this.#map(name) : this.#map?.[name];
    return ownClient(this.#template, mapped ?? this.#learned.get(name) ?? node);
  }

  /**
   * Finds nodes of the cluster: first those that the given client is connected to, else by its root nodes.
   *
   * @throws what stood in the way, within a second
   */
  async discover(): Promise<readonly NodeAddress[]> {
    const isFirst = this.#template === undefined;
    return (isFirst ? this.#adopt(this.given) : undefined) ?? this.#askRootNodes();
  }

  async #askRootNodes(): Promise<readonly NodeAddress[]> {
    if (this.#waiting >= MAX_WAITING) throw new Error('the root nodes of the cluster are silent');
    const { defaults } = this.#options ?? {};
    const finder = this.given.duplicate({
      // To connect to all of its nodes would fail where one of them is down.
      minimizeConnections: true,
      ...(this.#options !== undefined && {
        defaults: { ...defaults, socket: { ...defaults?.socket, socketTimeout: SOCKET_TIMEOUT } },
      }),
    });
    listenForErrors(finder);
    this.#waiting++;
    const search = finder.connect().finally(() => {
      this.#waiting--;
    });
    try {
      return await this.#within(search.then(() => this.#connectAny(finder)));
    } finally {
      endClient(finder);
    }
  }

  async #connectAny(finder: ClusterClient): Promise<readonly NodeAddress[]> {
    await Promise.any(finder.masters.map(async (node) => finder.nodeClient(node)));
    const found = this.#adopt(finder);
    if (found === undefined) throw new Error('no node of the cluster could be reached');
    return found;
  }

  /** Takes over what a cluster client knows. */
  #adopt(cluster: ClusterClient): readonly NodeAddress[] | undefined {
    const nodes = [...cluster.masters, ...cluster.replicas];
    for (const node of nodes) {
      // Major 4 has a promise there while it connects.
      if (node.client === undefined || node.client instanceof Promise) continue;
      this.#template ??= node.client;
      this.#learn(node, node.client);
    }
    return this.#template === undefined ? undefined : nodes.map(({ host, port }) => ({ host, port }));
  }

  #learn(node: NodeAddress, client: ServerClient): void {
    const { host, port } = client.options?.socket ?? {};
    if (this.#map !== undefined || typeof host !== 'string' || typeof port !== 'number') return;
    if (host !== node.host || port !== node.port) this.#learned.set(nameOf(node), { host, port });
  }

  #within<T>(task: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const cancel = this.clock.after(DISCOVERY_DEADLINE, () =>
        reject(new Error(`no node of the cluster answered within ${DISCOVERY_DEADLINE} ms`)),
      );
      task.finally(cancel).then(resolve, reject);
    });
  }
}

/** Majors 5 and 6 show their options under a name that begins with an underscore, major 4 does not. */
function optionsOf({ _options: options }: ClusterClient): ClusterClientOptions | undefined {
  return options;
}
