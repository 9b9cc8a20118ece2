import type { Clock } from '../../cache/clock.js';
import { nameOf, readSlots, type SlotRange } from './cluster-slots.js';
import type { ClusterTemplate } from './cluster-template.js';
import { NodeConnection } from './node-connection.js';
import type { NodeLink } from './node-link.js';
import type { NodeAddress } from './node-redis.js';
import type { RedisCommand, RedisReply } from './redis-link.js';

const CLUSTER_SLOTS: RedisCommand = ['CLUSTER', 'SLOTS'];

/** Milliseconds between two questions, while an answer is needed. */
const ASK_EVERY = 500;

/** Nodes that are asked at the same time when none of the primaries answers. */
const ASKED_AT_ONCE = 6;

export interface ClusterTopologyHost {
  readonly clock: Clock;
  readonly template: ClusterTemplate;
  /** The primaries as they are known. */
  nodes(): Iterable<{ readonly address: NodeAddress; readonly link: NodeLink }>;
  onSlots(ranges: readonly SlotRange[]): void;
  onError(error: unknown): void;
}

/** Finds out who serves which slots: when it is asked to, and then for as long as a primary is not ready. */
export class ClusterTopology {
  readonly #asking = new Set<NodeConnection>();
  #replicas: readonly NodeAddress[] = [];
  #refresh: Promise<void> | undefined;
  #isDue = false;
  #isClosed = false;
  #turn = 0;
  #lastFailure = '';
  #cancelNext: () => void = () => undefined;

  constructor(private readonly host: ClusterTopologyHost) {}

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Asks at once, or as soon as half a second has passed since it asked last. */
  refresh(): void {
    if (this.#isClosed) return;
    this.#isDue = true;
    if (this.#refresh !== undefined) return;
    this.#isDue = false;
    this.#refresh = this.#ask().then(() => this.#rest());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelNext();
    for (const connection of this.#asking) connection.end();
    await this.#refresh;
  }

  #rest(): void {
    if (this.#isClosed) return;
    // Jitter: instances that lost the same primary don't ask in step.
    const delay = ASK_EVERY * (1 - Math.random() / 4);
    this.#cancelNext = this.host.clock.after(delay, () => {
      this.#refresh = undefined;
      if (this.#isDue || this.#isIncomplete()) this.refresh();
    });
  }

  #isIncomplete(): boolean {
    const nodes = [...this.host.nodes()];
    return nodes.length === 0 || nodes.some(({ link }) => !link.isReady);
  }

  async #ask(): Promise<void> {
    try {
      const ranges = (await this.#askPrimaries()) ?? (await this.#askAnybody()) ?? (await this.#discover());
      if (this.#isClosed) return;
      this.#replicas = ranges.flatMap(({ replicas }) => replicas);
      this.#lastFailure = '';
      this.host.onSlots(ranges);
    } catch (error) {
      if (!this.#isClosed && String(error) !== this.#lastFailure) this.host.onError(error);
      this.#lastFailure = String(error);
    }
  }

  /** Another one first each time: what a node knows may be out of date. */
  async #askPrimaries(): Promise<readonly SlotRange[] | undefined> {
    const ready = [...this.host.nodes()].filter(({ link }) => link.isReady);
    const first = this.#turn++;
    for (let i = 0; i < ready.length; i++) {
      const { address, link } = ready[(first + i) % ready.length] as (typeof ready)[number];
      const ranges = await link.send(CLUSTER_SLOTS).then(
        (reply) => readSlots(reply, address),
        () => undefined,
      );
      if (ranges !== undefined) return ranges;
    }
    return undefined;
  }

  async #askAnybody(): Promise<readonly SlotRange[] | undefined> {
    const known = [...this.#replicas, ...Array.from(this.host.nodes(), ({ address }) => address)];
    return this.#firstAnswer(known);
  }

  async #discover(): Promise<readonly SlotRange[]> {
    const ranges = await this.#firstAnswer(await this.host.template.discover());
    if (ranges === undefined) throw new Error('no node of the cluster answers');
    return ranges;
  }

  async #firstAnswer(nodes: readonly NodeAddress[]): Promise<readonly SlotRange[] | undefined> {
    const distinct = [...new Map(nodes.map((node) => [nameOf(node), node])).values()];
    const first = distinct.length === 0 ? 0 : this.#turn++ % distinct.length;
    const asked = [...distinct.slice(first), ...distinct.slice(0, first)].slice(0, ASKED_AT_ONCE);
    return Promise.any(asked.map((node) => this.#askOnce(node))).catch(() => undefined);
  }

  async #askOnce(node: NodeAddress): Promise<readonly SlotRange[]> {
    const { clock, template } = this.host;
    let reply: RedisReply = null;
    let asking: NodeConnection | undefined;
    try {
      await NodeConnection.open(
        clock,
        () => template.client(node),
        async (connection) => {
          reply = await connection.send(CLUSTER_SLOTS);
        },
        (connection) => {
          asking = connection;
          this.#asking.add(connection);
          if (this.#isClosed) connection.end();
        },
      );
      return readSlots(reply, node);
    } finally {
      if (asking !== undefined) {
        asking.end();
        this.#asking.delete(asking);
      }
    }
  }
}
