import type { Entry, EntryLife, StoredResponse } from '../../libs/caching/src/cache/entry.js';

const KEY = 'shop:view:6:2:v10:3:GET20:BooksController.list6:public6:/books0:';
const STORED_AT = 1_700_000_000_000;

const BASE: StoredResponse = {
  status: 200,
  headers: [['Content-Type', 'application/json; charset=utf-8']],
  removed: [],
  body: undefined,
  delivery: 'framework',
};

function entry(response: Partial<StoredResponse>, more: Partial<Entry> = {}): Entry {
  return {
    key: KEY,
    response: { ...BASE, ...response },
    tags: ['t:books', 'r:BooksController.list', 'p:/BOOKS', 'x:/BOOKS', 'x:', '*', KEY],
    start: { epoch: '3e6f0f4e-9e0b-4f0e-8b9a-6a2b0f5c0d1e', n: 17 },
    order: 0,
    storedAt: STORED_AT,
    expiresAt: STORED_AT + 300_000,
    ...more,
  };
}

/** Of a response that is 7 s old when it is stored, fresh for a minute, and may be served stale for a while. */
const FRESHNESS: EntryLife = {
  freshUntil: STORED_AT + 60_000,
  ageAtStore: 7_000,
  staleWhileRevalidateUntil: STORED_AT + 90_000,
  staleIfErrorUntil: STORED_AT + 300_000,
  alwaysRevalidate: false,
  staleForbidden: false,
};

const JSON_BODY = Buffer.from('{"books":[{"name":"Война и мир","price":"12.50"}]}');

/** Entries and the files that hold their frames, in the first version of the format. */
export const GOLDEN: readonly (readonly [file: string, entry: Entry])[] = [
  [
    'json-body',
    entry({
      headers: [...BASE.headers, ['Content-Length', String(JSON_BODY.length)]],
      body: JSON_BODY,
    }),
  ],
  ['no-body', entry({ status: 204, statusMessage: 'Nothing here', headers: [], removed: ['x-powered-by'] })],
  ['empty-body', entry({ headers: [['Content-Length', '0']], body: Buffer.alloc(0) })],
  [
    'raw-delivery',
    entry({ headers: [['content-type', 'text/plain']], body: Buffer.from('raw'), delivery: 'raw' }),
  ],
  [
    'binary-body',
    entry({
      headers: [['Content-Type', 'application/octet-stream']],
      body: Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
    }),
  ],
  ['may-be-stale', entry({ body: Buffer.from('{}') }, { freshness: FRESHNESS })],
  ['handler-time', entry({ body: Buffer.from('{}') }, { handlerTime: 1_234_567 })],
  [
    'must-be-asked-about',
    entry(
      { body: Buffer.from('{}') },
      { freshness: { ...FRESHNESS, alwaysRevalidate: true, staleForbidden: true } },
    ),
  ],
  [
    'header-lists',
    entry(
      {
        status: 203,
        headers: [
          ['Link', ['</books?page=2>; rel="next"', '</books?page=9>; rel="last"'], 'add'],
          ['Vary', 'Accept-Language', 'add'],
          ['X-Note', 'café'],
          ['X-Lines', ['a', 'b']],
        ],
        body: Buffer.from('[]'),
      },
      { key: `${KEY}7:-2:de`, variantOf: KEY, tags: ['t:\ud800 books', '*', `${KEY}7:-2:de`, 't:late'] },
    ),
  ],
];

const VARIED: EntryLife = {
  freshUntil: STORED_AT,
  ageAtStore: 0,
  staleWhileRevalidateUntil: STORED_AT,
  staleIfErrorUntil: STORED_AT,
  alwaysRevalidate: true,
  staleForbidden: true,
};

/** Those that only the second version can say all of. */
export const GOLDEN_2: readonly (readonly [file: string, entry: Entry])[] = [
  ['varied', entry({ headers: [] }, { freshness: VARIED, vary: ['accept-language', 'x-tenant'] })],
  ['renewable', entry({ body: JSON_BODY }, { freshness: FRESHNESS, validator: 's2026-01-02 Война' })],
];
