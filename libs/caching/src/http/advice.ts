import type { BypassReason, SkipReason } from '../cache/reasons.js';

/** Why, and what to change for such requests to be served from the cache. */
export interface Advice {
  readonly because: string;
  readonly change?: string;
}

export const BYPASS_ADVICE: Readonly<Record<BypassReason, Advice>> = {
  method: { because: 'The route is cached for another method.' },
  'get-body': {
    because: 'A GET with a body bypasses the cache, as its key does not cover the body.',
    change: 'Send it without a body, or make it a POST with key: jsonBody().',
  },
  precondition: {
    because: 'If-Match and If-Unmodified-Since ask about the state that only the handler knows.',
    change: 'Send it without these headers.',
  },
  'uncovered-inputs': {
    because: 'The handler reads something that the key does not cover.',
    change: "Add the line that the warning at start names, or inputs: 'reviewed', to its @CacheView.",
  },
  code: {
    because: 'It runs in a block of code that CacheRoutes.bypass() was given.',
  },
  unless: {
    because: 'The unless callback of the route returned true.',
    change: 'Look at unless in the policy below, or send another request.',
  },
  credentials: {
    because: 'The request carries credentials, and the route does not say whose the response is.',
    change:
      "Add scope to its @CacheView: 'public' if everybody may see it, or a function that returns the principal. " +
      'If only a cookie that identifies nobody is in the way, name the ones that do in credentialCookies.',
  },
  'no-principal': {
    because: 'The request carries credentials, and scope names nobody for it.',
    change: 'Have scope return the principal of such requests.',
  },
  body: {
    because: 'The body is not of the kind that the key reads, or too large or too deep.',
    change: 'Send a body with the content type that the key reads, or raise its maxBytes.',
  },
  host: {
    because: 'The Host is not in the list of the key.',
    change: 'Add it to host({ allow }) in the key.',
  },
  arguments: {
    because: 'The arguments of the memoized function are longer than a key may be.',
    change: 'Name what counts of them with key.',
  },
  vary: {
    because: 'The fields that its responses vary on have more than 4,096 characters in this request.',
    change: 'Send shorter ones, or have the handler vary on less.',
  },
};

export const SKIP_ADVICE: Readonly<Record<SkipReason, Advice>> = {
  status: {
    because: 'Its status is not one that is stored.',
    change: "Add it to statuses, e.g. statuses: { 200: '5m', 404: '5s' }.",
  },
  'set-cookie': {
    because: 'The response sets a cookie, which is for one client.',
    change: 'Set cookies on routes that are not cached, or only when they change.',
  },
  'no-store': {
    because: 'Cache-Control of the response says no-store.',
    change: 'Leave no-store out, or do not cache the route.',
  },
  private: {
    because: 'Cache-Control of the response says private.',
    change: 'Say whose it is with scope instead of private.',
  },
  authorization: {
    because: 'The request had Authorization, and the response does not say that it may be shared.',
    change: 'Add public or s-maxage to its Cache-Control.',
  },
  'must-understand': { because: 'Cache-Control says must-understand, and its status is not one that is.' },
  'no-cache': {
    because: 'Cache-Control of the response says no-cache: it is to be asked about before each use.',
    change: 'Leave no-cache out of what the handler says.',
  },
  stale: {
    because: 'By its Cache-Control, Expires or Age it was over when it came.',
    change: "Give it a longer max-age, or set freshness: 'route' so that ttl decides.",
  },
  vary: {
    because: 'Its Vary is *, invalid, or names more than 16 fields, or fields of more than 4,096 characters.',
    change: 'Name in Vary only what the response is chosen by.',
  },
  partial: { because: 'A part of a representation (206) is not stored.' },
  'not-modified': { because: 'A 304 has nothing to store.' },
  request: {
    because: 'The request asked for no-store, and the route honours that.',
    change: 'Send it without no-store.',
  },
  handler: {
    because: 'The handler called CacheContext.noStore().',
    change: 'Look where the handler, or a service that it calls, does that.',
  },
  tags: { because: 'It has more than 256 tags.', change: 'Tag it by fewer, larger groups.' },
  filter: {
    because: 'The filter callback of the route returned false.',
    change: 'Look at filter in the policy.',
  },
  error: { because: 'The memoized function failed, or a callback of its own.' },
  value: {
    because: 'The result of the memoized function holds something that would not come back as it was.',
    change: 'Return plain objects, lists, Map, Set, Date, Buffer and what is made of them.',
  },
  arguments: {
    because: 'The arguments of the memoized function were changed while its call waited or ran.',
    change: 'Give each call objects of its own.',
  },
  'too-large': {
    because: 'The body is larger than maxEntryBytes.',
    change: 'Raise maxEntryBytes, or send less.',
  },
  'length-mismatch': { because: 'The body is not as long as its Content-Length says.' },
  'event-stream': {
    because: 'It is a stream of server-sent events, which has no end.',
    change: 'Say @NoCache() on the handler.',
  },
  encoded: {
    because: 'The handler coded the body itself, or it has trailers.',
    change: 'Leave compression to middleware.',
  },
  aborted: { because: 'The client left, or the stream failed, before the end.' },
  evicted: {
    because: 'Something that it depends on was evicted while the handler ran.',
    change: 'Nothing, unless it happens often: then evict by narrower tags.',
  },
};
