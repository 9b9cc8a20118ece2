import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HeaderBag } from '../header-diff.js';
import type { FrameworkRequest } from '../request-view.js';
import type { ViewRecording } from '../view-recording.js';
import {
  onHeadComplete,
  parseWriteHead,
  readHead,
  type WriteHeadArguments,
  type WriteHeadParameters,
} from './head.js';
import {
  closeRecording,
  type Hidden,
  hideConditionals,
  type Recorded,
  setNodeFields,
  showConditionals,
} from './platform.js';

export type ExpressRequest = IncomingMessage & FrameworkRequest & { readonly fresh?: boolean };

export type Write = ServerResponse['write'];
export type End = ServerResponse['end'];
export type WriteHead = (this: ServerResponse, ...args: WriteHeadParameters) => ServerResponse;

/** What passes through a response's `writeHead`, `write` and `end` on its way into a recording. */
export class RecordedResponse implements Recorded {
  replying: Recorded['replying'] = false;
  #hidden: Hidden;

  constructor(
    private readonly res: ServerResponse,
    private readonly request: ExpressRequest,
    readonly recording: ViewRecording,
    private readonly rawHandler: boolean,
    /** Recorded by the methods of its prototype, not by some of its own. */
    readonly byPrototype: boolean,
  ) {
    this.#hidden = hideConditionals(request.headers);
    // A session adds its cookie at the last moment; it changes the verdict.
    if (!recording.tells) return;
    onHeadComplete(res, () => {
      if (recording.noteLate((name) => res.getHeader(name))) this.#tell();
    });
  }

  writeHead(writeHead: WriteHead, args: WriteHeadParameters): ServerResponse {
    const { res, recording } = this;
    if (!recording.opened) {
      this.#open(parseWriteHead(args));
      this.#tell();
    }
    writeHead.apply(res, args);
    // The head of a body that middleware held back: see `end`.
    if (recording.closed) this.#settle();
    return res;
  }

  write(write: Write, args: Parameters<Write>): boolean {
    const { res, recording } = this;
    if (!recording.opened) {
      this.#open();
      this.#tell();
    }
    recording.push(args[0], args[1]);
    return write.apply(res, args);
  }

  end(end: End, args: Parameters<End>): ServerResponse {
    const { res, recording } = this;
    if (recording.closed || recording.ended) return end.apply(res, args);
    const [chunk, encoding] = args as unknown[];
    const isWhole = !recording.opened;
    if (isWhole) this.#open();
    // Express has encoded a body by now, in memory that only this response refers to.
    if (typeof chunk !== 'function') recording.push(chunk, encoding, isWhole && this.replying === 'value');
    try {
      closeRecording(recording, this.replying !== false);
    } finally {
      if (isWhole) this.#tell();
    }
    if (isWhole && isNotModified(this.request)) sendNotModified(res, end);
    else end.apply(res, args);
    // Middleware may hold the end back, e.g. until its session is saved, and set a cookie then. Where the client
    // has left, no head will be sent.
    if (res.headersSent || res.destroyed) this.#settle();
    return res;
  }

  closed(): void {
    this.#show();
    // A handler that still runs may finish and be stored; a body that was cut, or a handler that writes by
    // itself, won't.
    if (this.recording.opened || this.rawHandler) this.recording.fail();
  }

  #open(head?: WriteHeadArguments): void {
    this.#show();
    this.recording.open(readHead(this.res, head, 'framework'));
  }

  #settle(): void {
    const { res, recording } = this;
    if (recording.ended) return;
    recording.noteLate((name): HeaderBag[string] => res.getHeader(name));
    recording.settle();
  }

  #show(): void {
    if (this.#hidden === undefined) return;
    showConditionals(this.request.headers, this.#hidden);
    this.#hidden = undefined;
  }

  #tell(): void {
    if (this.recording.tells) setNodeFields(this.res, this.recording.fields());
  }
}

/** Express' own test of `If-None-Match` and `If-Modified-Since` against the response's headers and status. */
export function isNotModified(request: ExpressRequest): boolean {
  const { headers } = request;
  if (headers['if-none-match'] === undefined && headers['if-modified-since'] === undefined) return false;
  return request.fresh === true;
}

/** As `res.send` does it. */
export function sendNotModified(res: ServerResponse, end = res.end): void {
  res.statusCode = 304;
  for (const name of ['Content-Type', 'Content-Length', 'Transfer-Encoding']) res.removeHeader(name);
  end.call(res, undefined, 'utf8');
}
