import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { LRUCache } from 'lru-cache';
import type { StoredResponse } from '../cache/entry.js';
import type { ContentCoding } from './semantics/accept-encoding.js';

type Encode = (body: Buffer) => Promise<Buffer>;

/** Node's types for version 20 know nothing of Zstandard, which later ones have. */
const { zstdCompress } = zlib as typeof zlib & { zstdCompress?: typeof zlib.gzip };
const brotli = promisify(zlib.brotliCompress);

/** Made once and sent many times, so at levels that take longer than those for a single response would. */
const ENCODERS: Readonly<Partial<Record<ContentCoding, Encode>>> = {
  gzip: promisify<Buffer, Buffer>(zlib.gzip),
  br: (body) => brotli(body, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 6 } }),
  ...(zstdCompress && { zstd: promisify<Buffer, Buffer>(zstdCompress) }),
};

export function isAvailable(coding: ContentCoding): boolean {
  return ENCODERS[coding] !== undefined;
}

/** How many bodies are compressed at a time: more would only wait for node's threads. */
const MAX_AT_WORK = 4;

/** A variant is kept where it takes less than this part of the body. */
const WORTH_IT = 0.95;

const OVERHEAD = 512;
const MAX_RESPONSES = 10_000;

/** The variants of one response: `none` where one would not be smaller. */
class Variants {
  readonly byCoding = new Map<ContentCoding, StoredResponse | 'at work' | 'none'>();
  bytes = OVERHEAD;
}

/**
 * Content-coded variants of stored responses, made once for each when they are first asked for, off the way of any
 * request, and bounded together: those that nobody has asked for lately go first.
 */
export class CodedBodies {
  readonly #variants = new WeakMap<StoredResponse, Variants>();
  /** With their sizes for values: to set a value that is there already changes no size. */
  readonly #kept: LRUCache<Variants, number>;
  #atWork = 0;

  /** @param maxBytes of all variants together */
  constructor(maxBytes: number) {
    this.#kept = new LRUCache({
      max: MAX_RESPONSES,
      maxSize: maxBytes,
      // Their response may be served for long yet: it starts anew.
      dispose: (_bytes, variants, reason) => {
        if (reason === 'set') return;
        variants.byCoding.clear();
        variants.bytes = OVERHEAD;
      },
    });
  }

  /** Bytes that the variants take, as `maxBytes` counts them. */
  get bytes(): number {
    return this.#kept.calculatedSize;
  }

  /** The variant of a response; `undefined` where nobody has asked for it lately. */
  find(response: StoredResponse, coding: ContentCoding): StoredResponse | 'at work' | 'none' | undefined {
    const variants = this.#variants.get(response);
    const found = variants?.byCoding.get(coding);
    if (variants !== undefined && typeof found === 'object') this.#kept.get(variants);
    return found;
  }

  /** There is to be no such variant of a response. */
  refuse(response: StoredResponse, coding: ContentCoding): void {
    this.#variantsOf(response).byCoding.set(coding, 'none');
  }

  #variantsOf(response: StoredResponse): Variants {
    let variants = this.#variants.get(response);
    if (variants === undefined) this.#variants.set(response, (variants = new Variants()));
    return variants;
  }

  /**
   * Begins to make one, unless there are enough at work.
   *
   * @param headers of the variant
   */
  make(
    response: StoredResponse,
    body: Buffer,
    coding: ContentCoding,
    headers: () => StoredResponse['headers'],
  ): void {
    const variants = this.#variantsOf(response);
    const encode = ENCODERS[coding];
    if (encode === undefined || this.#atWork >= MAX_AT_WORK) return;
    this.#atWork += 1;
    variants.byCoding.set(coding, 'at work');
    void encode(body)
      .then(
        (coded) => {
          const isWorthIt = coded.length < body.length * WORTH_IT;
          variants.byCoding.set(
            coding,
            // Zlib gives a part of a larger piece of memory.
            isWorthIt ? { ...response, headers: headers(), body: ownBytes(coded) } : 'none',
          );
          if (!isWorthIt) return;
          variants.bytes += coded.length;
          this.#kept.set(variants, variants.bytes, { size: variants.bytes });
          // Larger together than all that may be kept: the others go uncounted now, so they are not held either.
          if (!this.#kept.has(variants)) {
            variants.byCoding.clear();
            variants.bytes = OVERHEAD;
            variants.byCoding.set(coding, 'none');
          }
        },
        // What can't be compressed is sent as it is.
        () => variants.byCoding.set(coding, 'none'),
      )
      .finally(() => {
        this.#atWork -= 1;
      });
  }
}

function ownBytes(bytes: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}
