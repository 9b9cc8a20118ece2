import calculateSlot from 'cluster-key-slot';
import { CacheStoreError } from '../../caching.errors.js';
import { nameOf, readRedirect, type SlotRange, SLOTS } from './cluster-slots.js';
import { ClusterTemplate } from './cluster-template.js';
import { ClusterTopology } from './cluster-topology.js';
import { NodeLink } from './node-link.js';
import type { ClusterClient, NodeAddress } from './node-redis.js';
import type { RedisCommand, RedisLink, RedisLinkOptions, RedisReply } from './redis-link.js';
import { scanNode } from './scan-node.js';
import { Signal } from './signal.js';
import { Subscription } from './subscription.js';

/** Errors of a node after which somebody else may serve its slots. */
const OTHERS_MAY_SERVE = /^(?:MOVED|ASK|READONLY|CLUSTERDOWN|MASTERDOWN|LOADING)\b/;

interface ClusterNode {
  readonly address: NodeAddress;
  readonly link: NodeLink;
}

/**
 * The link to a cluster: one to each primary, each with its own deadline and breaker, so that a primary that is gone
 * takes no others with it. As long as one of them is not ready, the others are asked who serves its slots now.
 */
export class ClusterLink implements RedisLink {
  readonly isCluster = true;
  readonly #template: ClusterTemplate;
  readonly #topology: ClusterTopology;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #slots: (ClusterNode | undefined)[] = Array.from({ length: SLOTS });
  readonly #subscriptions: Subscription[] = [];
  readonly #listeners: (() => void)[] = [];
  /** Given when nodes are known. */
  readonly #known = new Signal();
  #subscribedTo: string | undefined;
  #turn = 0;

  constructor(
    given: ClusterClient,
    private readonly options: RedisLinkOptions,
  ) {
    this.#template = new ClusterTemplate(given, options.clock);
    this.#topology = new ClusterTopology({
      clock: options.clock,
      template: this.#template,
      nodes: () => this.#nodes.values(),
      onSlots: (ranges) => this.#apply(ranges),
      onError: (error) => options.onError('connect', error),
    });
  }

  open(): void {
    this.#topology.refresh();
  }

  send(key: string, command: RedisCommand): Promise<RedisReply> {
    return this.#route(key, command, (link, isAsked) => link.send(command, isAsked));
  }

  sendPair(
    key: string,
    command: RedisCommand,
    follower: RedisCommand,
  ): Promise<readonly [RedisReply, RedisReply]> {
    return this.#route(key, command, (link, isAsked) => link.sendPair(command, follower, isAsked));
  }

  async *scan(pattern: string): AsyncGenerator<readonly string[]> {
    if (this.#nodes.size === 0) throw new CacheStoreError('SCAN', 'failed: no node of the cluster is known');
    // Nodes may come and go meanwhile.
    const links = Array.from(this.#nodes.values(), ({ link }) => link);
    for (const link of links) yield* scanNode(link, pattern);
  }

  /** A plain PUBLISH reaches all nodes of a cluster: hearing one is enough. */
  subscribe(
    channel: string,
    onMessage: (message: string) => void,
    onHearing: (hears: boolean) => void,
  ): void {
    const { clock, onError } = this.options;
    const dial = async () => {
      await this.#known.wait();
      return this.#template.client(this.#pickSubscribed());
    };
    const subscription = new Subscription({ clock, dial, channel, onMessage, onHearing, onError });
    this.#subscriptions.push(subscription);
    subscription.open();
  }

  onReady(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    const links = [...this.#nodes.values()].map(({ link }) => link);
    this.#nodes.clear();
    this.#slots.fill(undefined);
    this.#known.giveUp('the link was closed');
    await Promise.all([this.#topology, ...links, ...this.#subscriptions].map((each) => each.close()));
  }

  #route<T>(
    key: string,
    command: RedisCommand,
    send: (link: NodeLink, isAsked?: boolean) => Promise<T>,
  ): Promise<T> {
    const node = this.#slots[calculateSlot(key)];
    if (node === undefined)
      return Promise.reject(
        new CacheStoreError(String(command[0]), 'failed: no node of the cluster serves its key'),
      );
    return send(node.link).catch((error: unknown) => this.#redirect(node, send, error));
  }

  /** Follows a redirection once. A command that arrives where it should costs nothing here. */
  #redirect<T>(
    from: ClusterNode,
    send: (link: NodeLink, isAsked?: boolean) => Promise<T>,
    error: unknown,
  ): Promise<T> {
    const cause = error instanceof CacheStoreError ? error.cause : undefined;
    const redirect = cause instanceof Error ? readRedirect(cause.message, from.address) : undefined;
    if (redirect === undefined || this.#topology.isClosed) return Promise.reject(error);
    const target = this.#node(redirect.target);
    const isMoved = redirect.kind === 'MOVED';
    if (isMoved) this.#slots[redirect.slot] = target;
    return send(target.link, !isMoved);
  }

  #node(address: NodeAddress): ClusterNode {
    const name = nameOf(address);
    const known = this.#nodes.get(name);
    if (known !== undefined) return known;
    const { clock, timeout, onError, onBreaker } = this.options;
    const link = new NodeLink({
      clock,
      timeout,
      dial: () => this.#template.client(address),
      onReady: () => {
        for (const listener of this.#listeners) listener();
      },
      onTrouble: () => this.#topology.refresh(),
      onErrorReply: (error) => {
        if (OTHERS_MAY_SERVE.test(error.message)) this.#topology.refresh();
      },
      onError,
      onBreaker,
    });
    const node = { address, link };
    this.#nodes.set(name, node);
    link.open();
    return node;
  }

  #apply(ranges: readonly SlotRange[]): void {
    this.#slots.fill(undefined);
    const primaries = new Set<ClusterNode>();
    const names = new Set<string>();
    for (const { from, to, primary, replicas } of ranges) {
      const node = this.#node(primary);
      primaries.add(node);
      this.#slots.fill(node, from, to + 1);
      for (const each of [primary, ...replicas]) names.add(nameOf(each));
    }
    for (const [name, node] of this.#nodes) {
      if (primaries.has(node)) continue;
      this.#nodes.delete(name);
      node.link.close().catch((error: unknown) => this.options.onError('close', error));
    }
    this.#known.give();
    // A node that left the cluster goes on to be heard, but hears nobody.
    if (this.#subscribedTo === undefined || names.has(this.#subscribedTo)) return;
    for (const subscription of this.#subscriptions) subscription.replace();
  }

  /** Another node with each attempt, of those that answer while there are any. */
  #pickSubscribed(): NodeAddress {
    const all = [...this.#nodes.values()];
    const ready = all.filter(({ link }) => link.isReady);
    const candidates = ready.length > 0 ? ready : all;
    const node = candidates[this.#turn++ % Math.max(1, candidates.length)];
    if (node === undefined) throw new Error('no node of the cluster is known yet');
    this.#subscribedTo = nameOf(node.address);
    return node.address;
  }
}
