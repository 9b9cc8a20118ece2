import type { ServerResponse } from 'node:http';
import type { FrameworkRequest } from '../request-view.js';
import { type Answer, type Conditions, partOf, sentFields, statusOf } from '../selected-answer.js';
import { setNodeFields } from './platform.js';

const CONDITIONAL = ['if-none-match', 'if-modified-since', 'if-range', 'range'] as const;

/** Conditional and range headers of a request, hidden from its handler. */
export type Hidden = readonly (readonly [name: string, value: string])[] | undefined;

/**
 * Hides conditional and range headers while a fill runs, so that what is recorded is the whole response and not
 * a 304, a 412 or a part of it. `showConditionals` puts them back.
 */
export function hideConditionals(headers: FrameworkRequest['headers']): Hidden {
  let hidden: [string, string][] | undefined;
  for (const name of CONDITIONAL) {
    const value = headers[name];
    if (value === undefined) continue;
    (hidden ??= []).push([name, value as string]);
    delete headers[name];
  }
  return hidden;
}

export function showConditionals(headers: FrameworkRequest['headers'], hidden: Hidden): void {
  if (hidden === undefined) return;
  for (const [name, value] of hidden) headers[name] = value;
}

/** What a client wants of the response that is made for it right now. */
export function conditionsOf({ method = 'GET', headers }: FrameworkRequest): Conditions {
  return { method, headers };
}

const IDENTITY_ONLY = /^\s*(?:identity\s*(?:;[^,]*)?)?$/i;

/**
 * Whether `compression` will compress what is sent, which it does to parts as well: their `Content-Range` would then be
 * of other bytes than they are (RFC 9110 §14.4). It is known by the `flush` that it gives to responses.
 */
export function codesParts({ headers }: FrameworkRequest, res: ServerResponse): boolean {
  return (
    typeof (res as { readonly flush?: unknown }).flush === 'function' &&
    !IDENTITY_ONLY.test(headers['accept-encoding'] ?? '')
  );
}

/** Which fields of a response that is being sent have to go for an answer to be sent in its place. */
export function fieldsToRemove(answer: Answer, names: readonly string[], hasTag: boolean): string[] {
  const isSent = sentFields(answer, hasTag);
  return names.filter((name) => !isSent(name.toLowerCase()));
}

/** Sends an answer in place of the whole response, whose fields node's response has, and which has been recorded. */
export function sendAnswer(
  res: ServerResponse,
  answer: Exclude<Answer, { kind: 'full' }>,
  body: Buffer | undefined,
  end: ServerResponse['end'],
): void {
  for (const name of fieldsToRemove(answer, res.getHeaderNames(), res.hasHeader('etag')))
    res.removeHeader(name);
  res.statusCode = statusOf(answer);
  const part = partOf(body, answer);
  if (answer.kind !== 'not-modified') {
    setNodeFields(res, ['Content-Range', answer.contentRange, 'Content-Length', String(part?.length ?? 0)]);
  }
  end.call(res, part, 'utf8');
}
