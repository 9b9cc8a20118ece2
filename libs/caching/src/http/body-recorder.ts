/** Collects the bytes of a body as they are sent, up to a limit, in a buffer of their own. */
export class BodyRecorder {
  #chunks: Uint8Array[] = [];
  #length = 0;
  #tooLarge = false;

  constructor(private readonly limit: number) {}

  get tooLarge(): boolean {
    return this.#tooLarge;
  }

  get length(): number {
    return this.#length;
  }

  /**
   * Chunks are copied at once: whoever wrote one may reuse its memory. Not where it is `isOurs`: nobody else will
   * write to it.
   */
  push(chunk: string | Uint8Array, encoding?: unknown, isOurs = false): void {
    if (this.#tooLarge) return;
    const room = this.limit - this.#length;
    const bytes =
      typeof chunk === 'string'
        ? encode(chunk, encoding, room)
        : isOurs && isWhole(chunk) && chunk.length <= room
          ? chunk
          : copy(chunk, room);
    if (bytes === undefined) {
      this.#tooLarge = true;
      this.#chunks = [];
      return;
    }
    this.#length += bytes.length;
    this.#chunks.push(bytes);
  }

  /** All bytes so far. */
  take(): Buffer {
    const [first] = this.#chunks;
    if (this.#chunks.length === 1 && first instanceof Buffer) return first;
    const whole = Buffer.allocUnsafeSlow(this.#length);
    let offset = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, offset);
      offset += chunk.length;
    }
    return whole;
  }
}

/** Whether it has its memory for itself: a slice of Buffer's pool would keep all of that alive. */
function isWhole(chunk: Uint8Array): boolean {
  return chunk.buffer.byteLength === chunk.length;
}

// `allocUnsafeSlow`, as a slice of Buffer's pool would keep 8 KB alive for each small body.

function encode(text: string, encoding: unknown, room: number): Buffer | undefined {
  if (encoding !== undefined && encoding !== null && encoding !== 'utf8' && encoding !== 'utf-8') {
    return copy(Buffer.from(text, encoding as BufferEncoding), room);
  }
  const length = Buffer.byteLength(text);
  if (length > room) return undefined;
  const bytes = Buffer.allocUnsafeSlow(length);
  // As many bytes as characters: all of it is ASCII, whose plain copy is the faster of the two.
  bytes.write(text, length === text.length ? 'latin1' : 'utf8');
  return bytes;
}

function copy(chunk: Uint8Array, room: number): Buffer | undefined {
  if (chunk.length > room) return undefined;
  const bytes = Buffer.allocUnsafeSlow(chunk.length);
  bytes.set(chunk);
  return bytes;
}
