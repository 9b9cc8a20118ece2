import type { OutgoingHttpHeader } from 'node:http';
import type { StoredResponse } from '../cache/entry.js';
import { RecentMap } from '../recent-map.js';
import { CodedBodies } from './coded-bodies.js';
import type { CompressionPolicy } from './compression-policy.js';
import { listOf } from './header-diff.js';
import type { FrameworkResponse, HttpPlatform } from './platform/platform.js';
import type { RequestView } from './request-view.js';
import { completeResponse, storedField } from './selected-answer.js';
import { type ContentCoding, negotiateCoding } from './semantics/accept-encoding.js';
import { parseCacheControl } from './semantics/cache-control.js';
import { isNotModified } from './semantics/conditional.js';
import { tagOfVariant } from './semantics/entity-tag.js';

/** A request that is being answered. */
interface Answering {
  readonly platform: HttpPlatform;
  readonly request: RequestView;
  readonly response: FrameworkResponse;
}

/** Types whose content gets smaller; images, films and archives are compressed already. */
const COMPRESSIBLE =
  /^(?:text\/(?!event-stream)|application\/(?:javascript|json|xml|wasm|manifest\+json|x-ndjson|graphql)|image\/svg\+xml|[^;]+\+(?:json|xml))/i;

/** Fields that are about the very bytes of the content: a coded variant has others. */
const ABOUT_BYTES = ['content-md5', 'content-digest', 'digest', 'repr-digest'];

const VARY: readonly string[] = ['Vary', 'Accept-Encoding'];
/** `Accept-Encoding` fields whose meaning is remembered: browsers send a handful. */
const KNOWN_FIELDS = 100;
const MAX_KNOWN_LENGTH = 256;

/** Which of a stored response's bodies a client is sent: the plain one, or one that was compressed once for all. */
export class Compression {
  readonly #bodies: CodedBodies;
  readonly #negotiated = new RecentMap<ContentCoding | 'identity'>(KNOWN_FIELDS);
  #isOff = false;
  #isKnown = false;

  constructor(
    private readonly policy: CompressionPolicy,
    private readonly warn: (message: string) => void,
  ) {
    this.#bodies = new CodedBodies(policy.maxBytes);
  }

  /** The application compresses by itself: said once. */
  turnOff(): void {
    if (this.#isOff) return;
    this.#isOff = true;
    this.warn(
      'The application compresses its responses already (compression, @fastify/compress), which it does again for each hit: ' +
        'the option "compression" does nothing. Remove one of the two.',
    );
  }

  /** Before anything is answered: what the responses of a cached route are chosen by (RFC 9110 §12.5.5). */
  announce({ platform, response }: Answering): void {
    if (!this.#isKnown) {
      this.#isKnown = true;
      if (compresses(response)) this.turnOff();
    }
    if (this.#isOff) return;
    const present = platform.field(response, 'vary');
    if (present === undefined) return platform.setFields(response, VARY);
    const names = listOf(present);
    if (names.includes('accept-encoding') || names.includes('*')) return;
    platform.setFields(response, ['Vary', `${[present].flat().join(', ')}, Accept-Encoding`]);
  }

  /**
   * The variant of a stored response that a client is sent. One that is asked for first is sent plain, and compressed
   * meanwhile. So is a part of it, of which the client may have another.
   */
  select({ request, platform, response }: Answering, stored: StoredResponse, now: number): StoredResponse {
    const { body } = stored;
    if (this.#isOff || body === undefined || body.length < this.policy.minBytes) return stored;
    const { headers, method } = request;
    const coding = this.#negotiate(headers['accept-encoding']);
    if (coding === 'identity' || headers.range !== undefined) return stored;
    const variant = this.#bodies.find(stored, coding);
    if (variant === undefined) {
      const field = (name: string) => storedField(stored, name) ?? platform.field(response, name);
      if (isCompressible(field)) this.#bodies.make(stored, body, coding, () => codedFields(stored, coding));
      else this.#bodies.refuse(stored, coding);
    }
    if (typeof variant !== 'object') return stored;
    const ifNoneMatch = headers['if-none-match'];
    if (ifNoneMatch === undefined) return variant;
    // Who has the plain one needs no other.
    const plain = completeResponse(stored, (name) => storedField(stored, name));
    return isNotModified({ method, ifNoneMatch, ifModifiedSince: undefined }, plain, now) ? stored : variant;
  }

  #negotiate(field: string | undefined): ContentCoding | 'identity' {
    if (field === undefined) return 'identity';
    const known = this.#negotiated.get(field);
    if (known !== undefined) return known;
    const coding = negotiateCoding(field, this.policy.encodings);
    if (field.length <= MAX_KNOWN_LENGTH) this.#negotiated.set(field, coding);
    return coding;
  }
}

/** What `compression` on Express and `@fastify/compress` add to a response. */
function compresses(response: FrameworkResponse): boolean {
  const { flush, compress } = response as { flush?: unknown; compress?: unknown };
  return typeof flush === 'function' || typeof compress === 'function';
}

/** Whether an application does so, as far as it can be seen before its first response. */
export function compressesAlready(instance: unknown): boolean {
  const { router, hasReplyDecorator } = instance as {
    readonly router?: { readonly stack?: readonly { readonly name?: string }[] };
    readonly hasReplyDecorator?: (name: string) => boolean;
  };
  if (typeof hasReplyDecorator === 'function') return hasReplyDecorator.call(instance, 'compress');
  return router?.stack?.some(({ name }) => name === 'compression') ?? false;
}

function isCompressible(field: (name: string) => OutgoingHttpHeader | undefined): boolean {
  const type = field('content-type');
  if (typeof type !== 'string' || !COMPRESSIBLE.test(type)) return false;
  if (ABOUT_BYTES.some((name) => field(name) !== undefined)) return false;
  // RFC 9111 §5.2.2.6.
  return !parseCacheControl(field('cache-control')).noTransform;
}

/** RFC 9110 §8.8.3.3: other bytes, so another strong tag. */
function codedFields(stored: StoredResponse, coding: ContentCoding): StoredResponse['headers'] {
  const fields = stored.headers
    .filter(([name]) => !/^(?:content-length|accept-ranges)$/i.test(name))
    .map((field): (typeof stored.headers)[number] => {
      const [name, value, add] = field;
      const lower = name.toLowerCase();
      if (lower === 'etag' && typeof value === 'string') return [name, tagOfVariant(value, coding)];
      // Written anew by the handler, it has taken the place of ours.
      if (lower === 'vary' && add === undefined && !listOf(String(value)).includes('accept-encoding'))
        return [name, `${[value].flat().join(', ')}, Accept-Encoding`];
      return field;
    });
  return [...fields, ['Content-Encoding', coding]];
}
