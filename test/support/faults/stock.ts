/** Characters of an article's text: more than one packet, and enough to see in memory what is kept of it. */
const TEXT_LENGTH = 16_000;

/** What the handlers answer from, in all instances: their database. */
export interface Article {
  readonly id: string;
  readonly version: number;
  readonly text: string;
}

/** Articles by id, each with a version that only grows, and what is known of it to those who were answered. */
export class Stock {
  readonly #versions = new Map<string, number>();
  readonly #settled = new Map<string, number>();
  /** Characters that handlers were asked for. */
  rendered = 0;

  read(id: string): Article {
    this.rendered += TEXT_LENGTH;
    const version = this.#versions.get(id) ?? 1;
    return { id, version, text: textOf(id, version) };
  }

  /** A write; returns the new version. */
  change(id: string): number {
    const version = (this.#versions.get(id) ?? 1) + 1;
    this.#versions.set(id, version);
    return version;
  }

  /** Whoever wrote this version was told that it is done: who asks from now on must not get an older one. */
  settle(id: string, version: number): void {
    this.#settled.set(id, Math.max(version, this.settled(id)));
  }

  settled(id: string): number {
    return this.#settled.get(id) ?? 1;
  }

  /** What is settled now, of all that was ever written. */
  allSettled(): ReadonlyMap<string, number> {
    return new Map(this.#settled);
  }
}

/** The version of `id` that a body holds; nothing where it is not, to the letter, what a handler made. */
export function versionIn(body: string, id: string): number | undefined {
  const version = Number(/"version":(\d+)/.exec(body.slice(0, 200))?.[1]);
  return body === JSON.stringify({ id, version, text: textOf(id, version) }) ? version : undefined;
}

function textOf(id: string, version: number): string {
  const unit = `${id}.${version} `;
  return unit.repeat(Math.ceil(TEXT_LENGTH / unit.length)).slice(0, TEXT_LENGTH);
}
