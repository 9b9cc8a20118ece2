import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { HeaderBag } from '../header-diff.js';
import type { FrameworkRequest } from '../request-view.js';
import type { Hidden } from './conditionals.js';
import type { Recorded } from './platform.js';

/** The part of Fastify's reply that is used here, so that the library needs no Fastify to compile or to load. */
export interface Reply {
  readonly raw: ServerResponse;
  readonly statusCode: number;
  /** There where `@fastify/compress` is. */
  readonly compress?: unknown;
  code(status: number): Reply;
  header(name: string, value: unknown): Reply;
  getHeader(name: string): OutgoingHttpHeader | undefined;
  getHeaders(): OutgoingHttpHeaders;
  removeHeader(name: string): Reply;
  hijack(): Reply;
  send(payload?: unknown): Reply;
}

export type OnSend = (
  request: unknown,
  reply: Reply,
  payload: unknown,
  done: (error?: unknown, payload?: unknown) => void,
) => void;

export interface FastifyInstance {
  addHook(name: 'onSend', hook: OnSend): unknown;
}

export interface RecordedReply extends Recorded {
  readonly request: FrameworkRequest;
  readonly rawHandler: boolean;
  /** Of node's response alone, where the handler may write to that past the reply, whose fields then never leave. */
  readonly rawBefore: HeaderBag | undefined;
  hidden: Hidden;
  /** What the hooks were given of a body that was recorded whole: its bytes are there already. */
  text: string | undefined;
}
