/** Smaller bodies are left to the collector, which hardly notices them. Bytes. */
const LEAST = 2_048;

/** Sizes differ by at least a sixteenth, so that what one body leaves fits another of about its size. */
const STEPS = 16;

/**
 * Memory for bodies that may be used again, which only its owner can know. Most of what misses store goes without ever
 * having been asked for: for each of them V8 would get new memory outside of its heap, and collect all of its heap after
 * some thousands, which took a third of the time of a miss.
 */
export class BodyMemory {
  readonly #idle = new Map<number, ArrayBufferLike[]>();
  #idleBytes = 0;

  /** @param maxIdle how many bytes may wait for a body, beside those that hold one; half of it is the largest body */
  constructor(private readonly maxIdle: number) {}

  /** Whether a body of so many bytes is copied. */
  copies(length: number): boolean {
    return length >= LEAST && length <= this.maxIdle / 2;
  }

  /** A copy of `body`, or nothing where it is better kept as it is. */
  copyOf(body: Buffer): Buffer | undefined {
    const { length } = body;
    if (!this.copies(length)) return undefined;
    const room = Buffer.from(this.#take(roomFor(length)));
    room.set(body);
    // Whoever looks behind the body must not find what another one left.
    room.fill(0, length);
    return room.subarray(0, length);
  }

  /** What a copy takes beside its length, in bytes. */
  static spareOf(copy: Buffer): number {
    return copy.buffer.byteLength - copy.length;
  }

  /** Nobody but the caller has ever seen this copy, and the caller forgets it. */
  reuse({ buffer }: Buffer): void {
    const size = buffer.byteLength;
    // Bodies may have come to be of another size: then nothing of what waits is of use.
    if (this.#idleBytes + size > this.maxIdle) this.clear();
    const idle = this.#idle.get(size);
    if (idle === undefined) this.#idle.set(size, [buffer]);
    else idle.push(buffer);
    this.#idleBytes += size;
  }

  clear(): void {
    this.#idle.clear();
    this.#idleBytes = 0;
  }

  #take(size: number): ArrayBufferLike {
    const idle = this.#idle.get(size)?.pop();
    if (idle === undefined) return Buffer.allocUnsafeSlow(size).buffer;
    this.#idleBytes -= size;
    return idle;
  }
}

function roomFor(length: number): number {
  const step = 2 ** Math.floor(Math.log2(length)) / STEPS;
  return Math.ceil(length / step) * step;
}
