import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { StoredResponse } from '../../cache/entry.js';
import type { VerdictFields } from '../cache-headers.js';
import type { HeaderBag } from '../header-diff.js';
import type { FrameworkRequest } from '../request-view.js';
import type { ViewRecording } from '../view-recording.js';
import {
  attachRecording,
  type FrameworkResponse,
  hideConditionals,
  type HttpPlatform,
  type RecordOptions,
  wireNames,
} from './platform.js';

type ExpressRequest = IncomingMessage & FrameworkRequest & { readonly fresh?: boolean };

/**
 * Express writes to node's response directly, so that is where its responses are recorded: outside `compression`
 * and session middleware, whose own wrappers run behind ours, and act on each hit again.
 */
export class ExpressPlatform implements HttpPlatform {
  readonly name = 'express';

  node(response: FrameworkResponse): ServerResponse {
    return response as ServerResponse;
  }

  setFields(response: FrameworkResponse, fields: VerdictFields): void {
    const res = this.node(response);
    if (res.headersSent) return;
    for (let at = 0; at < fields.length; at += 2)
      res.setHeader(fields[at] as string, fields[at + 1] as string);
  }

  send(
    request: FrameworkRequest,
    response: FrameworkResponse,
    stored: StoredResponse,
    fields: VerdictFields,
  ): void {
    const res = this.node(response);
    if (res.headersSent || res.writableEnded) return;
    for (const name of stored.removed) res.removeHeader(name);
    for (const [name, value] of stored.headers) res.setHeader(name, value);
    for (const [name, value] of stored.listMembers) {
      const present = res.getHeader(name);
      res.setHeader(name, present === undefined ? value : `${String(present)}, ${String(value)}`);
    }
    this.setFields(response, fields);
    res.statusCode = stored.status;
    if (stored.statusMessage !== undefined) res.statusMessage = stored.statusMessage;
    if (isNotModified(request as ExpressRequest)) return sendNotModified(res);
    if (stored.body === undefined) {
      res.end();
      return;
    }
    if (!res.hasHeader('content-length')) res.setHeader('Content-Length', stored.body.length);
    res.end(stored.body);
  }

  record(request: FrameworkRequest, response: FrameworkResponse, options: RecordOptions): ViewRecording {
    const res = this.node(response);
    const recording = options.recording(res.getHeaders());
    attachRecording(response, recording);
    const restoreConditionals = hideConditionals(request.headers);
    const { write, end, writeHead } = res;
    // Somebody (a session, compression) adds headers at the last moment; a cookie among them changes the verdict.
    const isHooked = Object.hasOwn(res, 'writeHead');

    const open = (head?: WriteHeadArguments): void => {
      restoreConditionals();
      recording.open(readHead(res, head));
    };
    const sendHead = <T>(call: () => T): T => {
      if (!isHooked) return call();
      const { setHeader } = res;
      res.setHeader = (name, value) => {
        if (name.toLowerCase() === 'set-cookie' && recording.noteCookie(value as HeaderBag[string])) {
          const fields = recording.fields();
          for (let at = 0; at < fields.length; at += 2) {
            setHeader.call(res, fields[at] as string, fields[at + 1] as string);
          }
        }
        return setHeader.call(res, name, value);
      };
      try {
        return call();
      } finally {
        res.setHeader = setHeader;
      }
    };

    res.writeHead = ((...args: WriteHeadParameters) => {
      if (!recording.opened) {
        open(parseWriteHead(args));
        this.setFields(res, recording.fields());
      }
      return sendHead(() => writeHead.apply(res, args as never));
    }) as typeof writeHead;

    res.write = ((...args: Parameters<typeof write>) => {
      if (!recording.opened) {
        open();
        this.setFields(res, recording.fields());
      }
      recording.push(args[0], args[1]);
      return write.apply(res, args);
    }) as typeof write;

    res.end = ((...args: Parameters<typeof end>) => {
      if (recording.closed || recording.ended) return end.apply(res, args);
      const [chunk, encoding] = args as unknown[];
      const isWhole = !recording.opened;
      if (isWhole) open();
      if (typeof chunk !== 'function') recording.push(chunk, encoding);
      recording.close();
      if (isWhole) this.setFields(res, recording.fields());
      if (isWhole && isNotModified(request as ExpressRequest)) sendNotModified(res, end);
      else end.apply(res, args);
      recording.noteCookie(res.getHeader('set-cookie'));
      recording.settle();
      return res;
    }) as typeof end;

    res.once('close', () => {
      restoreConditionals();
      // A handler that still runs may finish and be stored; a body that was cut, or a handler that writes by
      // itself, won't.
      if (recording.opened || options.rawHandler) recording.fail();
    });
    return recording;
  }
}

type WriteHeadParameters = [status: number, reasonOrHeaders?: unknown, headers?: unknown];

interface WriteHeadArguments {
  readonly status: number;
  readonly statusMessage?: string;
  readonly headers: readonly (readonly [string, HeaderBag[string]])[];
}

function parseWriteHead([status, reasonOrHeaders, headers]: WriteHeadParameters): WriteHeadArguments {
  const given = typeof reasonOrHeaders === 'string' ? headers : reasonOrHeaders;
  return {
    status,
    ...(typeof reasonOrHeaders === 'string' && { statusMessage: reasonOrHeaders }),
    headers: Array.isArray(given)
      ? pairs(given as unknown[])
      : Object.entries((given ?? {}) as OutgoingHttpHeaders),
  };
}

/** Node takes `[name, value, …]` as well as `[[name, value], …]`. */
function pairs(list: readonly unknown[]): (readonly [string, HeaderBag[string]])[] {
  if (Array.isArray(list[0])) return list as (readonly [string, HeaderBag[string]])[];
  const found: (readonly [string, HeaderBag[string]])[] = [];
  for (let at = 0; at < list.length; at += 2) found.push([list[at] as string, list[at + 1] as string]);
  return found;
}

function readHead(res: ServerResponse, given?: WriteHeadArguments): Parameters<ViewRecording['open']>[0] {
  const headers: Record<string, HeaderBag[string]> = { ...res.getHeaders() };
  const names = new Map(wireNames(res).map((name) => [name.toLowerCase(), name]));
  for (const [name, value] of given?.headers ?? []) {
    headers[name.toLowerCase()] = value;
    names.set(name.toLowerCase(), name);
  }
  return {
    status: given?.status ?? res.statusCode,
    statusMessage: given?.statusMessage ?? (res.statusMessage || undefined),
    headers,
    names: [...names.values()],
    delivery: 'framework',
  };
}

/** Express' own test of `If-None-Match` and `If-Modified-Since` against the response's headers and status. */
function isNotModified(request: ExpressRequest): boolean {
  const { headers } = request;
  if (headers['if-none-match'] === undefined && headers['if-modified-since'] === undefined) return false;
  return request.fresh === true;
}

/** As `res.send` does it. */
function sendNotModified(res: ServerResponse, end = res.end): void {
  res.statusCode = 304;
  for (const name of ['Content-Type', 'Content-Length', 'Transfer-Encoding']) res.removeHeader(name);
  end.call(res, undefined as never, 'utf8');
}
